"""Memory of conversations: every turn is stored, and a policy chooses the turns that a question needs.

from agents.memory import Memory, TurnStore, Hybrid
"""

from agents.memory.memory import Memory
from agents.memory.policies import Hybrid, KeptVectors, LastN, Policy, Recall, RelevantN
from agents.memory.store import Turn, TurnStore

__all__ = ["Hybrid", "KeptVectors", "LastN", "Memory", "Policy", "Recall", "RelevantN", "Turn", "TurnStore"]
