"""DSPy's engines over the project's generator, where the extra is installed."""

import json
import re

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
        return FakeStream(reply if is_task else self._proposed(request.messages[-1].text), cancel)

    def _proposed(self, asked):
        """GEPA wants JSON, MIPROv2 sections; both name the fields that they wait for."""
        sections = re.findall(r"`\[\[ ## (\w+) ## \]\]`", asked)
        if not sections:
            return json.dumps({"new_instruction": BETTER})
        return "\n\n".join(f"[[ ## {name} ## ]]\n{BETTER}" for name in sections)


def judge(wanted, answer):
    return Feedback(float(wanted in answer), "" if wanted in answer else "It lacks the platform.")


@pytest.mark.parametrize("engine", ["gepa", "mipro"])
def test_what_dspy_proposes_is_kept_when_validation_and_guards_agree(engine):
    generator = Station()
    metric = AnswerMetric(generator, judge)
    versions = dspy_versions(metric, CASES, engine=engine, calls=40)
    tuned = optimize(PROMPT, CASES, metric, Budget(), versions=versions)
    assert tuned.program.prompt == BETTER
    assert tuned.validation == (0.0, 1.0)
    assert (tuned.test.before, tuned.test.after) == (0.0, 1.0)
    assert [trial.origin for trial in tuned.trials] == [engine]


def test_dspy_never_sees_validation_or_held_out_cases():
    from agents.tune.edits import split

    generator = Station()
    list(dspy_versions(AnswerMetric(generator, judge), CASES, calls=30)(Program(PROMPT)))
    asked = "\n".join(generator.prompts)
    train, validation, test = split(CASES, 0)
    assert any(CASES[i][0] in asked for i in train)
    assert not any(CASES[i][0] in asked for i in [*validation, *test])
