"""Scores for retrieval, answers and grounding."""
