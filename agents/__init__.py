"""Agents over the notes."""
