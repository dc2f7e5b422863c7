"""Which agent a question needs: decided by readable rules, and by one short verdict of the model where they are silent.

How a question is thought about follows what was measured (docs/agents-reasoning.md); hops for comparisons are a guess.
"""

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from agents import notes, prompt_files
from agents.numbers import all_numbers_in
from agents.reason.chain import DEFAULT_METHOD, Method, Reasoner, Solution
from agents.reason.hop import HopResult, MultiHop
from agents.run import Cost, Limits, Meter, Outcome, Progress, Result, failure
from agents.tools import ToolAgent, ToolResult, computing_tools, note_tools, rules
from rag import phrases
from rag.errors import MingbaiError
from rag.notebook import Notebook, check_question
from rag.text import detect_language, fold
from rag.types import Answer, State


class Route(StrEnum):
    """Who answers: RCG at once, a chain of thought, several hops over the notes, tools, or nobody."""

    DIRECT = "direct"
    COT = "cot"
    HOP = "hop"
    TOOLS = "tools"
    REFUSE = "refuse"


# A model of 1.5B thinks itself away from right guesses: answers at once were right more often, in a fifth of the time.
PUZZLE_METHOD = Method.DIRECT
# Not measured yet.
COMPARISON_ROUTE = Route.HOP
# Names below this rarity stand in every other note and do not make a question one about the notes.
MIN_NAME_SCORE = 0.3
# Probability from which the model's verdict "can be worked out from the question alone" counts.
MIN_SELF_CONTAINED = 0.6

REFUSED = {
    "zh": "这件事我做不到：我只能读你的笔记、计算和推理，不能联网、发送或修改任何东西。",
    "en": "I cannot do that: I read your notes, calculate and reason; I cannot go online, send or change anything.",
}

_OUTSIDE = re.compile(
    r"天气|气温多少|股价|股票行情|汇率|新闻|热搜|现在几点"
    r"|(?:发|写|寄)(?:一?封)?(?:邮件|短信|微信)给|给.{1,10}发(?:一?封|一?条)?(?:邮件|短信|微信)|打个?电话给|下单|订(?:票|餐|酒店)"
    r"|转账|付款"
    r"|(?:删除|删掉|清空|修改|覆盖)(?:我的|所有|全部|这个|那个)?.{0,6}(?:文件|笔记|词条|目录|硬盘|数据库)|执行命令|运行脚本|关机"
    r"|\b(?:weather|stock price|exchange rate|latest news|what time is it)\b"
    r"|\b(?:send|write) (?:an? )?(?:e-?mail|message|text) to\b|\b(?:call|phone) my\b|\bbook (?:a|me|the) |\bbuy me\b"
    r"|\b(?:delete|erase|overwrite|wipe) (?:my|all|the|every)\b|\brun (?:the |this )?(?:command|script)\b"
)
_ENTRY_TOOLS = re.compile(
    r"(?:相关|有关|关联|相近)的?(?:词条|条目|概念|笔记)|(?:打开|显示).{0,12}(?:词条|条目)|(?:词条|条目).{0,12}(?:全文|原文)"
    r"|\brelated (?:entries|notes|terms)\b|\bopen (?:the )?(?:entry|note)\b"
)
_ASKS_AMOUNT = re.compile(
    r"多少|几[个天次岁元块张本人只页层种小分秒米条支辆杯]|总共|一共|还剩|平均"
    r"|\bhow (?:many|much|long|far|old|fast|tall)\b|\btotal\b|\baverage\b|\bremain|\bleft\b"
)
_PUZZLE = re.compile(
    r"如果.{2,40}那么|假设|已知|所有.{1,10}都是|只有一个人?说(?:真|假)话|说谎|比.{1,8}(?:高|矮|重|轻|大|小|快|慢|早|晚)"
    r"|最(?:高|矮|重|轻|大|小|快|慢|早|晚)的是|排在|第几|下一个数|规律|推理|推出"
    r"|\bif all\b|\ball \w+ are\b|\bno \w+ are\b|\bsuppose\b|\bassume\b|\bnext number\b"
    r"|\b(?:taller|shorter|heavier|lighter|older|younger|faster|slower) than\b|\blies\b|\bliar\b|\btells the truth\b"
)
_SEVERAL_STEPS = re.compile(
    r"(?:提出|发明|使用|采用|用到|属于|依赖|基于).{1,24}的(?:那个|那种|那篇|模型|方法|论文|算法|人|作者).{0,30}"
    r"(?:又|还|是什么|是谁|哪|多少|怎么)"
    r"|分别(?:是|由|用|属于)|各自|\brespectively\b"
    r"|\b(?:that|which|who) (?:proposed|introduced|uses?|used|belongs?)\b.{3,60}\b(?:what|who|which|how|when)\b"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A route and why it was taken. ``probability`` is the model's verdict, None where a rule decided.

    ``method`` is how a question is thought about that needs no notes.
    """

    route: Route
    why: str
    probability: float | None = None
    method: Method = DEFAULT_METHOD


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterResult(Result):
    """The route and what came of it: exactly one of the inner results, none when refused or degraded before."""

    choice: Choice
    checked: Answer | None = None
    solution: Solution | None = None
    hop: HopResult | None = None
    tools: ToolResult | None = None


class Router:
    """Chooses an agent for a question and runs it.

    Args:
        notebook: the notes, and the model.
        limits: of one run.
        seed: of all decoding.
    """

    def __init__(self, notebook: Notebook, *, limits: Limits | None = None, seed: int = 0) -> None:
        self._notebook = notebook
        self._limits = limits or Limits()
        self._seed = seed

    def choose(self, question: str, *, meter: Meter | None = None) -> Choice:
        """The route for a question; asks the model only where no rule speaks.

        Raises:
            QuestionError: the question holds no word.
        """
        check_question(question)
        return self._by_rule(question) or self._by_model(question, meter or self._meter(None, None))

    def run(
        self, question: str, *, cancel: threading.Event | None = None, progress: Progress | None = None
    ) -> RouterResult:
        """Choose and answer.

        Raises:
            QuestionError: the question holds no word.
            GenerationCancelledError: ``cancel`` was set.
        """
        meter = self._meter(cancel, progress)
        choice = Choice(Route.DIRECT, "the router failed")
        try:
            choice = self.choose(question, meter=meter)
            meter.record("route", str(choice.route), why=choice.why, probability=choice.probability)
            return self._run(meter, question, choice, cancel, progress)
        except MingbaiError as error:
            return self._wrap(
                meter,
                question,
                choice,
                Result(agent="router", question=question, outcome=Outcome.DEGRADED, reason=failure(error)),
            )

    def _by_rule(self, question: str) -> Choice | None:
        return _without_notes(question) or self._with_notes(question)

    def _with_notes(self, question: str) -> Choice | None:
        text = fold(question)
        terms = self._notebook.index.terms
        named = [hit for hit in terms.lookup(question) if hit.score >= MIN_NAME_SCORE]
        if len(terms.parts(question)) > 1:
            return Choice(COMPARISON_ROUTE, "compares entries of the notes")
        if named and _SEVERAL_STEPS.search(text):
            return Choice(Route.HOP, "names an entry and asks for what is linked to it")
        if len(all_numbers_in(question)) >= 2 and _ASKS_AMOUNT.search(text):
            return Choice(Route.COT, "a word problem: several numbers and an amount asked")
        if _PUZZLE.search(text) and not named:
            return Choice(Route.COT, "a puzzle that names no entry", method=PUZZLE_METHOD)
        return Choice(Route.DIRECT, "names an entry of the notes") if named else None

    def _by_model(self, question: str, meter: Meter) -> Choice:
        language = detect_language(question)
        messages = prompt_files.messages(__package__, "route", language, {"question": question})
        probability = meter.choose(messages, phrases.YES_NO[language])[0]
        if probability >= MIN_SELF_CONTAINED:
            return Choice(Route.COT, "can be worked out from the question alone", probability)
        return Choice(Route.DIRECT, "needs facts", probability)

    def _run(
        self,
        meter: Meter,
        question: str,
        choice: Choice,
        cancel: threading.Event | None,
        progress: Progress | None,
    ) -> RouterResult:
        generator, limits = self._notebook.generator, meter.remaining()
        match choice.route:
            case Route.REFUSE:
                text = REFUSED[detect_language(question)]
                refusal = Result(
                    agent="router", question=question, outcome=Outcome.REFUSED, answer=text, reason=choice.why
                )
                return self._wrap(meter, question, choice, refusal)
            case Route.COT:
                reasoner = Reasoner(generator, limits=limits, seed=self._seed)
                solution = reasoner.solve(question, choice.method, cancel=cancel, progress=progress)
                return self._wrap(meter, question, choice, solution, solution=solution)
            case Route.HOP:
                agent = MultiHop(self._notebook, limits=limits, seed=self._seed)
                hop = agent.run(question, cancel=cancel, progress=progress)
                return self._wrap(meter, question, choice, hop, hop=hop, checked=hop.checked)
            case Route.TOOLS:
                tools = [*computing_tools(), *note_tools(self._notebook, language=detect_language(question))]
                tool_agent = ToolAgent(generator, tools, reader=self._notebook, limits=limits, seed=self._seed)
                found = tool_agent.run(question, cancel=cancel, progress=progress)
                return self._wrap(meter, question, choice, found, tools=found, checked=found.checked)
        return self._direct(meter, question, choice)

    def _direct(self, meter: Meter, question: str, choice: Choice) -> RouterResult:
        answer = notes.ask(self._notebook, question, meter)
        refused = answer.state is State.REFUSED
        result = Result(
            agent="router",
            question=question,
            outcome=Outcome.REFUSED if refused else Outcome.DONE,
            answer=answer.text,
            reason="the notes do not hold the answer" if refused else "",
        )
        return self._wrap(meter, question, choice, result, checked=answer)

    def _wrap(  # noqa: PLR0913 - one of the inner results
        self,
        meter: Meter,
        question: str,
        choice: Choice,
        inner: Result,
        *,
        checked: Answer | None = None,
        solution: Solution | None = None,
        hop: HopResult | None = None,
        tools: ToolResult | None = None,
    ) -> RouterResult:
        return RouterResult(
            agent="router",
            question=question,
            outcome=inner.outcome,
            answer=inner.answer,
            reason=inner.reason,
            reasoning=inner.reasoning,
            steps=(*meter.steps, *inner.steps),
            cost=_sum([meter.cost, inner.cost]),
            model=meter.model_id,
            seed=self._seed,
            choice=choice,
            checked=checked,
            solution=solution,
            hop=hop,
            tools=tools,
        )

    def _meter(self, cancel: threading.Event | None, progress: Progress | None) -> Meter:
        return Meter(self._notebook.generator, self._limits, cancel=cancel, progress=progress)


def _without_notes(question: str) -> Choice | None:
    """The route of a question that the notes have no part in."""
    text = fold(question)
    if _OUTSIDE.search(text):
        return Choice(Route.REFUSE, "asks for an action or for live facts")
    if rules.propose(question) is not None:
        return Choice(Route.TOOLS, "the question itself determines a tool call")
    return Choice(Route.TOOLS, "asks for entries") if _ENTRY_TOOLS.search(text) else None


def _sum(costs: Sequence[Cost]) -> Cost:
    """The cost of the router and of the agent inside it; the router's seconds include the agent's."""
    return Cost(
        sum(cost.calls for cost in costs),
        sum(cost.prompt_tokens for cost in costs),
        sum(cost.completion_tokens for cost in costs),
        costs[0].seconds,
    )
