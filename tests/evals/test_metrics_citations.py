import pytest
from hypothesis import given
from hypothesis import strategies as st
from metric_fakes import REFUSAL, TableJudge, cite, make_answer, make_passage, sentence

from evals.metrics import citations as c
from evals.types import GoldSpan
from rag.types import Support

LAYERS, HEADS, OTHER = (
    make_passage("它有 12 层", 1),
    make_passage("它有 8 个头", 2, start=100),
    make_passage("天气好", 3),
)
PASSAGES = [LAYERS, HEADS, OTHER]
JUDGE = TableJudge(**{"有12层": ["12 层"], "12层8头": ["12 层", "8 个头"], "很冷": ["冷"]})


def scores(*sentences):
    return [s.value for s in c.citation_scores(make_answer(*sentences, passages=PASSAGES), JUDGE)]


@pytest.mark.parametrize(
    ("said", "cited", "recall", "precision"),
    [
        ("有12层", [LAYERS], 1.0, 1.0),
        ("12层8头", [LAYERS, HEADS], 1.0, 1.0),  # neither alone, both needed
        ("有12层", [LAYERS, OTHER], 1.0, 0.5),  # one does not help
        ("12层8头", [LAYERS, HEADS, OTHER], 1.0, 2 / 3),
        ("12层8头", [LAYERS], 0.0, 0.0),
        ("很冷", [LAYERS, HEADS], 0.0, 0.0),
    ],
)
def test_alce_by_hand(said, cited, recall, precision):
    assert scores(sentence(said, *map(cite, cited))) == pytest.approx([recall, precision])


def test_sentences_share_the_recall_and_citations_the_precision():
    found = scores(sentence("有12层", cite(LAYERS), cite(OTHER)), sentence("很冷", cite(HEADS)))
    assert found == pytest.approx([0.5, 1 / 3])


def test_own_sentences_need_no_citation_others_do():
    assert scores(sentence("有12层", cite(LAYERS)), sentence("很冷", support=Support.OWN)) == [1.0, 1.0]
    assert scores(sentence("很冷")) == [0.0, None]


def test_two_quotes_of_one_passage_are_one_citation():
    assert scores(sentence("有12层", cite(LAYERS, "12"), cite(LAYERS, "层"))) == [1.0, 1.0]


def test_undefined_has_a_reason():
    for answer in (REFUSAL, make_answer(sentence("很冷", support=Support.OWN), passages=PASSAGES)):
        assert all(s.value is None and s.reason for s in c.citation_scores(answer, JUDGE))
    gold = [[GoldSpan("a.md", 0, 3)]]
    assert c.id_validity(REFUSAL).value is None
    assert c.evidence_hit(make_answer(sentence("x"), passages=PASSAGES), gold).value is None
    assert c.evidence_hit(make_answer(sentence("x", cite(LAYERS))), []).value is None


def test_ids_must_be_in_the_prompt_under_that_marker():
    stranger = cite(make_passage("别处", 9))
    wrong_number = cite(make_passage("它有 12 层", 2))
    assert c.id_validity(make_answer(sentence("甲", cite(LAYERS), cite(HEADS)), passages=PASSAGES)).value == 1.0
    assert c.id_validity(make_answer(sentence("甲", cite(LAYERS), stranger), passages=PASSAGES)).value == 0.5
    moved = make_answer(sentence("甲", cite(LAYERS)), passages=[make_passage("它有 12 层", 2)])
    assert c.id_validity(moved).value == 0.0
    assert wrong_number.chunk_id == "p2"


def test_typed_markers_must_resolve_but_an_index_is_none():
    typed = make_answer(sentence("甲", cite(LAYERS)), passages=PASSAGES, text="甲[1]，见[7]，数组 x[3]")
    assert c.id_validity(typed).value == 0.5


def test_evidence_is_hit_and_used():
    layers, heads = [GoldSpan("a.md", 0, 3)], [GoldSpan("a.md", 100, 103)]
    answer = make_answer(sentence("甲", cite(LAYERS)), passages=PASSAGES)
    assert c.evidence_hit(answer, [layers, heads]).value == 1.0
    assert c.evidence_hit(answer, [heads]).value == 0.0
    assert c.evidence_cited(answer, [layers, heads]).value == 0.5
    assert c.evidence_cited(answer, [[GoldSpan("b.md", 0, 3)]]).value is None


@given(st.lists(st.lists(st.sampled_from([LAYERS, HEADS, OTHER]), max_size=3), max_size=4))
def test_shares_and_a_needless_citation_never_helps(cited):
    said = [sentence("有12层", *map(cite, places)) for places in cited]
    found = scores(*said)
    assert all(v is None or 0 <= v <= 1 for v in found)
    padded = scores(*(sentence(s.text, *s.citations, cite(OTHER)) for s in said))
    assert found[0] == padded[0]
    assert found[1] is None or padded[1] <= found[1] + 1e-12


def test_swapped_citations_fall_to_nothing():
    texts = {f"第{i}条": [f"内容{i}。"] for i in range(20)}
    places = [make_passage(f"内容{i}。", i + 1, start=10 * i) for i in range(20)]
    judge = TableJudge(**texts)
    for moved, expected in ((0, 1.0), (7, 0.0)):
        cited = [sentence(t, cite(places[(i + moved) % 20])) for i, t in enumerate(texts)]
        answer = make_answer(*cited, passages=places)
        assert [s.value for s in c.citation_scores(answer, judge)] == [expected, expected]
