"""Agents that find and repair defects of a prompt and its examples: contradictions, unclear form, wrong examples.

statements → rules    the prompt cut into sentences, read as typed rules with spans
conflicts             contradictions, by a solver        structured    the output form
examples              assistant turns against the rules  judge         what only a model can judge
mend_prompt, mend_examples                               patches, never a whole text
graph, optimize       the five agents as one graph       surface, lengths, lexicon, …   what they look at
"""

from agents.prompts.types import Example, Finding, Optimization, Patch

__all__ = ["Example", "Finding", "Optimization", "Patch"]
