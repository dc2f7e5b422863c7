"""The measurement that improves the RCG prompt by its metric, over a real index with fakes for the models."""

import pytest
from fakes import FakeGenerator, FakeStream

from agents import optimize
from agents.tune import Budget, Program
from evals.agents import tune
from evals.types import Case, CaseType
from rag.protocols import GenerationRequest
from rag.types import Message, Role

RIGHT = "云杉网络共有 48 层，由林望提出。"
HALF = "云杉网络共有 48 层。"
FACTS = (("48",), ("林望",))


def case(number: int = 0, *, answerable: bool = True) -> Case:
    question = f"云杉网络有几层，由谁提出？第 {number} 次问。" if answerable else "云杉网络的学习率是多少？"
    kind = CaseType.DETAIL if answerable else CaseType.UNANSWERABLE
    return Case(f"c-{number}", question, "zh", kind, answerable, RIGHT, FACTS if answerable else (), ())


class Obedient(FakeGenerator):
    """Says everything only when its instructions hold the word."""

    def __init__(self, word: str) -> None:
        super().__init__(HALF)
        self._word = word

    def generate(self, request, cancel=None):
        super().generate(request, cancel)
        return FakeStream(RIGHT if self._word in request.messages[0].text else HALF, cancel)


@pytest.fixture
def metric(open_with):
    """Makes a metric over the small notebook, and the generator that it asks through."""

    def make(generator):
        prompted = tune.Prompted(generator, "zh")
        return tune.RcgMetric(open_with(prompted), prompted, "zh")

    return make


def test_only_the_rcg_prompt_of_the_language_is_exchanged():
    fake = FakeGenerator("x")
    prompted = tune.Prompted(fake, "zh")
    prompted.prompt = "新的"
    for system in (tune.system_prompt("zh"), tune.system_prompt("en"), "别的"):
        messages = (Message(Role.SYSTEM, system), Message(Role.USER, tune.system_prompt("zh")))
        prompted.generate(GenerationRequest(messages, max_tokens=4))
        prompted.choose(messages, ("是", "否"))
    zh = tune.system_prompt("zh")
    wanted = [f"新的\n{zh}", f"{tune.system_prompt('en')}\n{zh}", f"别的\n{zh}"]
    assert fake.prompts == [text for text in wanted for _ in range(2)]


@pytest.mark.parametrize(("reply", "score", "said"), [(RIGHT, 1.0, ""), (HALF, 0.5, "要点有 2 个，只说出了 1 个。")])
def test_the_score_is_the_share_of_facts_in_own_words(metric, reply, score, said):
    feedback = metric(FakeGenerator(reply))(Program("提示"), case())
    assert (feedback.score, feedback.text) == (score, said)


def test_refusing_is_right_only_where_the_notes_hold_no_answer(metric):
    refuses = metric(FakeGenerator("月亮上住着一只会唱歌的狐狸。", yes=0.01))
    assert refuses(Program("提示"), case(answerable=False)).score == 1.0
    wrongly = refuses(Program("提示"), case())
    assert (wrongly.score, wrongly.text) == (0.0, "笔记里有答案，却拒绝了。")


def test_a_version_that_makes_the_model_say_more_is_kept_and_tested_on_held_out_questions(metric):
    cases = [case(number) for number in range(20)]
    generator = Obedient("逐条核对")
    tuned = optimize(tune.system_prompt("zh"), cases, metric(generator), Budget(metric_calls=200, minibatch=4))

    assert "逐条核对" in tuned.program.prompt
    assert tuned.validation == (0.5, 1.0)
    assert tuned.test is not None
    assert (tuned.test.difference, tuned.test.n) == (0.5, 6)
    text = "\n".join(table.markdown() for table in tune.tables(tuned))
    assert "| check last | 1.000 | 1.000 | kept |" in text
    assert "0.500 → 1.000: +0.500 [+0.500, +0.500]" in text


def test_a_run_without_a_better_version_says_that_nothing_was_tested(metric):
    cases = [case(number) for number in range(10)]
    tuned = optimize(tune.system_prompt("zh"), cases, metric(FakeGenerator(HALF)), Budget(patience=2, minibatch=2))

    assert not tuned.changed
    assert "no version was kept, so none was tested" in tune.tables(tuned)[1].markdown()
