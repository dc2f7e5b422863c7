"""Workflows: what is refused before anything runs, the sandbox, the shipped examples."""

import contextlib
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.run import Limits, Outcome
from agents.workflow import EXAMPLES, Workflow, WorkflowError, example, load_workflow, parse_workflow
from agents.workflow.sandbox import MAX_OUTPUT_CHARS, TemplateUseError, render, truth, uses
from rag.errors import GenerationCancelledError, UsageError

HEAD = "name: w\nnodes:\n  - {id: start, kind: start, inputs: {q: a question}, next: NEXT}\n"


def workflow(*nodes, first="a"):
    return HEAD.replace("NEXT", first) + "".join(f"  - {node}\n" for node in nodes)


GOOD = workflow('{id: a, kind: template, template: "{{ q }}!", next: b}', '{id: b, kind: answer, text: "{{ a.text }}"}')


@pytest.fixture
def run(open_with, fake_generator):
    def make(spec, inputs, *, reply="云杉网络共有 48 层。", yes=0.97, **options):
        generator = fake_generator(
            reply, probabilities=lambda m, o: [yes, *[(1 - yes) / (len(o) - 1)] * (len(o) - 1)], context_size=20_000
        )
        given = parse_workflow(spec) if isinstance(spec, str) else spec
        return Workflow(given, open_with(generator), **options).run(inputs)

    return make


def test_nodes_run_in_order_and_pass_values_on(run):
    result = run(GOOD, {"q": "你好"})
    assert (result.outcome, result.answer, result.path) == (Outcome.DONE, "你好!", ("start", "a", "b"))
    assert [s.name for s in result.steps] == ["start", "a", "b"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must"),
        ("nodes: [", "no YAML"),
        ("- 1", "dictionary"),
        ("a: &x [1]\nb: *x", "anchors"),
        (GOOD.replace("kind: template", "kind: python"), "kind"),
        (GOOD.replace("id: a,", "id: a, extra: 1,"), "extra"),
        (GOOD.replace("id: a,", "id: A,"), "pattern"),
        (GOOD.replace("next: b", "next: c"), "'c', which does not exist"),
        (GOOD.replace("next: b", "next: a"), "a cycle: a → a"),
        (GOOD + "  - {id: c, kind: answer, text: x}\n", "'c' is never reached"),
        (GOOD + "  - {id: b, kind: answer, text: x}\n", "used twice"),
        (GOOD.replace("{{ q }}", "{{ r }}"), "unknown variable 'r'"),
        (GOOD.replace("a.text", "a.words"), "a.words"),
        (GOOD.replace("a.text", "b.text"), "unknown variable 'b'"),
        (GOOD.replace("{{ q }}", "{% include 'x' %}"), "include"),
        (GOOD.replace("{{ q }}", "{% for %}"), "cannot be read"),
        (GOOD.replace("{{ q }}", "{{ q | tojson }}"), "tojson"),
        ("name: w\nnodes: [{id: b, kind: answer, text: x}, {id: c, kind: answer, text: x}]", "0 start nodes"),
        (
            workflow('{id: a, kind: llm, system: "{{ q }}", prompt: x, next: b}', "{id: b, kind: answer, text: x}"),
            "llm",
        ),
    ],
)
def test_unsound_workflows_are_refused_before_anything_runs(text, reason):
    with pytest.raises(WorkflowError) as caught:
        parse_workflow(text)
    assert reason in str(caught.value)


def test_longer_cycles_are_named():
    text = workflow(
        "{id: a, kind: template, template: x, next: c}",
        '{id: c, kind: if, condition: "true", then: a, otherwise: b}',
        "{id: b, kind: answer, text: x}",
    )
    with pytest.raises(WorkflowError, match="a → c → a"):
        parse_workflow(text)


BRANCHES = workflow(
    "{id: a, kind: if, condition: q == 'x', then: c, otherwise: b}",
    "{id: c, kind: template, template: 'yes', next: b}",
    '{id: b, kind: answer, text: "TEXT"}',
)


def test_a_variable_of_one_branch_needs_a_default(run):
    with pytest.raises(WorkflowError, match="some way leaves out"):
        parse_workflow(BRANCHES.replace("TEXT", "{{ c.text }}"))
    spec = BRANCHES.replace("TEXT", "{{ (c | default({})).text | default('no') }}")
    assert [run(spec, {"q": q}).answer for q in ("x", "y")] == ["yes", "no"]


def test_unknown_tools_are_refused_when_the_tools_are_known():
    text = workflow("{id: a, kind: tool, tool: nothing, next: b}", "{id: b, kind: answer, text: x}")
    with pytest.raises(WorkflowError, match="nothing"):
        parse_workflow(text, tools={"calculate": None})


def test_files_are_read_and_missing_ones_named(tmp_path):
    (tmp_path / "w.yaml").write_text(GOOD, encoding="utf-8")
    assert load_workflow(tmp_path / "w.yaml").name == "w"
    with pytest.raises(WorkflowError, match="cannot be read"):
        load_workflow(tmp_path / "no.yaml")


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=80))
def test_any_text_is_a_workflow_or_our_error(text):
    with contextlib.suppress(WorkflowError):
        parse_workflow(text)


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ q.__init__.__globals__ }}",
        "{{ 'a' * 1000000 }}",
        "{{ 9 ** 99 }}",
        "{{ 'a%s' % q.__class__ }}",
        "{% for i in range(10) %}{% endfor %}",
        "{{ '%999999999d' % 1 }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ q.ljust(999999999) }}",
        "{{ q ~ q }}",
        "{% set a = q + q %}" + "{% set a = a + a %}" * 20,
        "{% set a %}{{ q }}{% endset %}",
        "{% set a = [q, q] | join %}" + "{% set a = [a, a] | join %}" * 20,
        "{{ q | replace('x', q) }}",
        "{{ q | batch(999999999, 'x') }}",
        "{% for a in q %}{% endfor %}",
        "{% for a in [1] %}{% for b in [1] %}{% for c in [1] %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in many %}{% endfor %}",
        "{{ lipsum() }}",
        "{{ cycler }}",
        "{{ missing }}",
        "{{ q | attr('__class__') }}",
        "{% for a in q %}{% for b in q %}{% for c in q %}{{ a }}{{ q }}{% endfor %}{% endfor %}{% endfor %}",
    ],
)
def test_the_sandbox_holds(template):
    with pytest.raises(TemplateUseError):
        render(template, {"q": "x" * 200, "many": [0] * 501})


def test_values_are_never_templates():
    evil = "{{ ''.__class__ }}{% for i in x %}"
    assert render("{{ q }}", {"q": evil}) == evil
    assert len(render("{{ q }}", {"q": "y" * (MAX_OUTPUT_CHARS - 1)})) == MAX_OUTPUT_CHARS - 1


def test_conditions_and_uses():
    assert truth("notes.count > 0 and q", {"notes": {"count": 2}, "q": "x"})
    assert not truth("notes.count > 2", {"notes": {"count": 2}})
    assert [(u.name, u.attribute, u.is_guarded) for u in uses("{{ a.b }}{% for i in c %}{{ i }}{% endfor %}")] == [
        ("a", "b", False),
        ("c", "", False),
    ]
    assert uses("{{ a.b | default('') }}")[0].is_guarded


def test_mermaid_and_markdown_labels_cannot_break_out():
    assert render("{{ q | mermaid }}", {"q": 'a"]\n  evil["x'}) == '["a#quot;] evil[#quot;x"]'
    assert render("{{ q | markdown }}", {"q": "# [x](y)\n*z*"}) == "\\# \\[x\\](y) \\*z\\*"


ALL_KINDS = workflow(
    '{id: a, kind: retrieve, query: "{{ q }}", k: 2, next: c}',
    '{id: c, kind: classify, question: "{{ a.count }}?", labels: {是: d, 否: e}}',
    '{id: d, kind: llm, prompt: "{{ a.text }}", system: Be brief., next: f}',
    '{id: f, kind: tool, tool: calculate, arguments: {expression: "{{ a.count }}+40"}, next: g}',
    '{id: g, kind: agent, agent: rcg, question: "{{ q }}", passages: [a], next: h}',
    '{id: h, kind: answer, text: "{{ c.label }} {{ f.text }} {{ g.outcome }} {{ d.text }}"}',
    "{id: e, kind: answer, refused: true, text: none}",
)


def test_every_kind_of_node(run):
    result = run(ALL_KINDS, {"q": "云杉网络有几层？"})
    assert result.answer == "是 2+40 = 42 done 云杉网络共有 48 层。"
    assert result.citations[0]["file"] == "glossary.txt"
    assert run(ALL_KINDS, {"q": "云杉网络有几层？"}, yes=0.1).outcome is Outcome.REFUSED


@pytest.mark.parametrize("agent", ["cot", "hop", "tools", "router"])
def test_agents_are_nodes(run, agent):
    spec = workflow(
        f'{{id: a, kind: agent, agent: {agent}, question: "{{{{ q }}}}", next: b}}',
        '{id: b, kind: answer, text: "{{ a.outcome }}: {{ a.text }}"}',
    )
    assert "48" in run(spec, {"q": "云杉网络有几层？"}).answer


def test_a_failing_tool_is_a_value_not_a_crash(run):
    spec = workflow(
        '{id: a, kind: tool, tool: calculate, arguments: {expression: "{{ q }}"}, next: b}',
        '{id: b, kind: answer, text: "{{ a.ok }} {{ a.error }}"}',
    )
    assert run(spec, {"q": "1/0"}).answer.startswith("False division by zero")


def test_limits_inputs_and_cancelling(run, open_with, fake_generator):
    assert run(ALL_KINDS, {"q": "云杉"}, limits=Limits(steps=2)).outcome is Outcome.DEGRADED
    for inputs in ({}, {"q": " "}, {"q": "x", "r": "y"}):
        with pytest.raises(UsageError):
            run(GOOD, inputs)
    with pytest.raises(UsageError, match="nothing"):
        run(GOOD.replace('kind: template, template: "{{ q }}!"', "kind: tool, tool: nothing"), {"q": "x"})
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(GenerationCancelledError):
        Workflow(parse_workflow(GOOD), open_with(fake_generator())).run({"q": "x"}, cancel=cancel)


@pytest.mark.parametrize("name", EXAMPLES)
def test_shipped_workflows_are_sound(name):
    assert example(name).description


def test_a_workflow_that_does_not_exist():
    with pytest.raises(WorkflowError, match="answer_verify"):
        example("nothing")


def test_answer_with_verify(run):
    assert run(example("answer_verify"), {"question": "云杉网络有几层？"}).path[-1] == "show_first"
    doubted = run(example("answer_verify"), {"question": "云杉网络得过什么奖？"}, reply="它有最佳论文奖。", yes=0.01)
    assert (doubted.outcome, "hops" in doubted.path) == (Outcome.REFUSED, True)


def test_compare_two_terms(run):
    reply = "云杉网络共有 48 层，水杉池化把 4 个像素合成 1 个。"
    result = run(example("compare_terms"), {"a": "云杉网络", "b": "水杉池化"}, reply=reply)
    assert result.answer.startswith("## 云杉网络 / 水杉池化")
    assert {c["entry"] for c in result.citations} >= {"云杉网络", "水杉池化"}
    missing = run(example("compare_terms"), {"a": "云杉网络", "b": "不存在的东西"})
    assert missing.outcome is Outcome.REFUSED


def test_mind_map_of_a_term(run):
    result = run(example("mind_map"), {"term": "SN"})
    assert result.outcome is Outcome.DONE
    mermaid, markmap = result.answer.split("```markmap")
    lines = mermaid.splitlines()
    assert lines[:2] == ["```mermaid", "mindmap"]
    assert 'root["云杉网络"]' in lines[2]
    widths = [len(line) - len(line.lstrip()) for line in lines[2:] if line.strip() and "```" not in line]
    assert set(widths) == {2, 4, 6}
    assert "# 云杉网络\n## 又名\n- SpruceNet" in markmap
    assert "- 云杉网络共有 48 层，由林望提出。 (glossary.txt:2)" in markmap
    assert run(example("mind_map"), {"term": "不存在"}).outcome is Outcome.REFUSED
