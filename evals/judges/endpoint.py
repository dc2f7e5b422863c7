"""A judge behind an OpenAI-compatible server: any generator of ours over an endpoint will do."""

from evals.judges.llm import LLMJudge
from rag.protocols import Generator


class EndpointJudge(LLMJudge):
    """The LLM judge under another name, so that reports tell a remote model from the local one.

    Verdicts need log-probabilities; a server that gives none makes ``verdict`` raise EndpointError.
    """

    def __init__(self, generator: Generator) -> None:
        """Judge with a generator that talks to a server."""
        super().__init__(generator)
        self.name = f"endpoint:{generator.model_id}"
