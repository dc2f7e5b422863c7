"""Agents over the notes, and agents that check and repair prompts."""

from agents.prompts.optimize import optimize_prompt

__all__ = ["optimize_prompt"]
