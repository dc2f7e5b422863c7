"""Improve a prompt by a metric: edits are kept when they score better, and a held-out test says by how much.

Run: python examples/optimize_by_metric.py        (some minutes; every score is an answer of the local model)
"""

from agents import optimize
from agents.tune import AnswerMetric, Budget, Feedback
from rag.build import make_generator
from rag.protocols import Generator
from rag.settings import load

PROMPT = """You sort short messages of a library's readers.
- Read the message.
- Choose the label that fits best: loan, return, other.
- Be careful with books that come back late."""
CASES = [
    ("May I borrow the atlas until Friday?", "loan"),
    ("I brought the novel back yesterday.", "return"),
    ("Where are the toilets?", "other"),
    ("Please keep the new cookbook for me.", "loan"),
    ("The comic lies in your letter box now.", "return"),
    ("Do you have a café?", "other"),
    ("Can I take three films home?", "loan"),
    ("My son dropped the picture book off at the desk.", "return"),
    ("Is the wifi free?", "other"),
    ("I want to take out the bird guide.", "loan"),
]


def judge(wanted: str, answer: str) -> Feedback:
    """1 for the label alone, half for a text that holds it and no other."""
    said = answer.strip().strip(".").lower()
    held = [label for label in ("loan", "return", "other") if label in said]
    if said == wanted:
        return Feedback(1.0)
    return (
        Feedback(0.5, "The label is right, but it does not stand alone.")
        if held == [wanted]
        else Feedback(0.0, "Wrong.")
    )


def main(generator: Generator, budget: Budget | None = None) -> None:
    """Optimise the prompt above and print what was tried."""
    metric = AnswerMetric(generator, judge, max_tokens=32)
    tuned = optimize(PROMPT, CASES, metric, budget or Budget(metric_calls=80, minibatch=4, patience=4))
    for trial in tuned.trials:
        print(f"{trial.origin}: {trial.refused or 'kept'}")
    print(f"validation {tuned.validation[0]:.2f} → {tuned.validation[1]:.2f}; {tuned.stopped}")
    if tuned.test is not None:
        gain = tuned.test
        print(f"held out: {gain.difference:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}] over {gain.n} cases")
    print(tuned.program.prompt)


if __name__ == "__main__":
    model = make_generator(load())
    try:
        main(model)
    finally:
        model.close()
