"""Cost: what an answer took. Seconds and token counts are read from the answer, never measured here."""

from collections.abc import Sequence

from evals.metrics.statistics import percentile
from evals.types import Score
from rag.types import Answer


def time_to_first_token(answer: Answer) -> float | None:
    """Seconds from handing over the prompt to the first token; None where no token was generated."""
    return answer.timings.get("first_token")


def tokens_per_second(answer: Answer) -> float | None:
    """Generated tokens per second after the first token, without the time spent on checking; None without tokens."""
    timings, tokens = answer.timings, answer.tokens.get("completion", 0)
    seconds = timings.get("write", 0.0) - timings.get("first_token", 0.0) - timings.get("check", 0.0)
    return tokens / seconds if seconds > 0 and tokens > 0 else None


def cost_scores(answers: Sequence[Answer]) -> list[Score]:
    """p50 and p95 of time to first token, tokens per second and prompt tokens over the answers that have them."""
    prompts = [float(a.tokens["prompt"]) for a in answers if "prompt" in a.tokens]
    columns = {
        "ttft_seconds": [v for a in answers if (v := time_to_first_token(a)) is not None],
        "tokens_per_second": [v for a in answers if (v := tokens_per_second(a)) is not None],
        "prompt_tokens": prompts,
    }
    scores = []
    for name, values in columns.items():
        for label, share in (("p50", 0.5), ("p95", 0.95)):
            found = percentile(values, share)
            scores.append(Score(f"{name}_{label}", found.value, found.reason and f"no answer records {name}"))
    return scores
