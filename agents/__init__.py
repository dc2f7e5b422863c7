"""Agents over the notes, and agents that check and repair prompts."""

from agents.prompts.optimize import optimize_prompt
from agents.tune.search import optimize

__all__ = ["optimize", "optimize_prompt"]
