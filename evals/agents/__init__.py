"""Measurements of the agents, on question sets of our own: reasoning, memory, tools, and several hops."""
