"""Reasoning agents: chain of thought, plan-and-solve, self-consistency, multi-hop over the notes, and a router.

from agents.reason import Reasoner, MultiHop, Router
"""

from agents.reason.answers import same_answer
from agents.reason.chain import Method, Reasoner, Solution
from agents.reason.hop import Hop, HopResult, MultiHop
from agents.reason.router import Route, Router, RouterResult

__all__ = [
    "Hop",
    "HopResult",
    "Method",
    "MultiHop",
    "Reasoner",
    "Route",
    "Router",
    "RouterResult",
    "Solution",
    "same_answer",
]
