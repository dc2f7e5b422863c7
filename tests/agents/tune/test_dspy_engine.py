"""DSPy's engines over the project's generator, where the extra is installed."""

import json

import pytest

pytest.importorskip("dspy", reason="the extra dspy is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")

from fakes import FakeGenerator, FakeStream  # noqa: E402

from agents import optimize  # noqa: E402
from agents.tune import AnswerMetric, Budget, Feedback, Program  # noqa: E402
from agents.tune.dspy_engine import dspy_versions  # noqa: E402

PROMPT = "You answer questions of travellers about the trains of a small railway company. Be polite and brief."
BETTER = "You answer questions of travellers about the trains of a small railway company. Always say the platform."
CASES = [(f"When does train {n} leave?", "platform") for n in range(20)]


class Station(FakeGenerator):
    """Names the platform when its prompt says so; proposes that prompt when it is asked to improve one."""

    def generate(self, request, cancel=None):
        self.prompts.append("\n".join(message.text for message in request.messages))
        is_task = request.messages[0].text.startswith("You answer questions of travellers")
        says = "platform" in request.messages[0].text
        reply = "On platform 2." if says else "At nine."
        return FakeStream(reply if is_task else json.dumps({"new_instruction": BETTER}), cancel)


def judge(wanted, answer):
    return Feedback(float(wanted in answer), "" if wanted in answer else "It lacks the platform.")


def test_what_gepa_proposes_is_kept_when_validation_and_guards_agree():
    generator = Station()
    metric = AnswerMetric(generator, judge)
    versions = dspy_versions(metric, CASES, calls=40)
    tuned = optimize(PROMPT, CASES, metric, Budget(), versions=versions)
    assert tuned.program == Program(BETTER)
    assert tuned.validation == (0.0, 1.0)
    assert (tuned.test.before, tuned.test.after) == (0.0, 1.0)
    assert [trial.origin for trial in tuned.trials] == ["gepa"]


def test_dspy_never_sees_validation_or_held_out_cases():
    from agents.tune.edits import split

    generator = Station()
    list(dspy_versions(AnswerMetric(generator, judge), CASES, calls=30)(Program(PROMPT)))
    asked = "\n".join(generator.prompts)
    train, validation, test = split(CASES, 0)
    assert any(CASES[i][0] in asked for i in train)
    assert not any(CASES[i][0] in asked for i in [*validation, *test])
