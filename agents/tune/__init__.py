"""Metric-driven prompt optimisation: edits of a prompt and its examples are kept when they score better.

types     programs, metrics, budgets and the report     guards    what no version may do
edits     the candidate versions                        search    minibatch, validation, held-out test
dspy_engine    DSPy's GEPA or MIPROv2 as another source of versions (the extra ``dspy``)
"""

from agents.tune.search import optimize
from agents.tune.types import AnswerMetric, Budget, Feedback, Program, Tuned

__all__ = ["AnswerMetric", "Budget", "Feedback", "Program", "Tuned", "optimize"]
