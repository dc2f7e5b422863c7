import json
from pathlib import Path

import pytest
from eval_fakes import FakeSubject, located_cases, make_cases
from hypothesis import given
from hypothesis import strategies as st

from evals.cases import Alternative, load_cases, load_overlay, locate, parse_case, texts_under
from evals.records import from_plain, to_plain
from evals.subject import texts_of
from evals.types import Case, CaseType, Evidence, GoldSpan
from rag.errors import UsageError

ROW = {
    "id": "x-1",
    "question": "宽度是多少？",
    "lang": "zh",
    "type": "detail",
    "answerable": True,
    "answer": "三",
    "key_facts": [["三", "3"]],
    "evidence": [{"file": "n.md", "heading": "宽度", "quote": "宽度是三"}],
}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def case_with(*quotes: str) -> Case:
    evidence = tuple(Evidence("n.md", "", quote) for quote in quotes)
    return Case("x-1", "?", "zh", CaseType.DETAIL, True, "", (), evidence)


def test_a_case_is_read_field_by_field(tmp_path):
    assert load_cases(write(tmp_path / "c.jsonl", ROW)) == [
        Case(
            "x-1",
            "宽度是多少？",
            "zh",
            CaseType.DETAIL,
            True,
            "三",
            (("三", "3"),),
            (Evidence("n.md", "宽度", "宽度是三"),),
        )
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"typ": 1}, "unknown field typ"),
        ({"answer": None}, "answer must be a text"),
        ({"answerable": "yes"}, "answerable must be true or false"),
        ({"type": "riddle"}, "type 'riddle' is unknown"),
        ({"lang": "fr"}, "lang 'fr' is unknown"),
        ({"key_facts": [[]]}, "a key fact must be"),
        ({"key_facts": ["三"]}, "a key fact must be"),
        ({"key_facts": "三"}, "key_facts must be a list"),
        ({"evidence": []}, "needs evidence"),
        ({"evidence": ["n.md"]}, "an evidence must be an object"),
        ({"evidence": [{"file": "n.md", "quote": "三"}]}, "missing field heading"),
        ({"evidence": [{"file": "n.md", "heading": "", "quote": " "}]}, "quote is empty"),
        ({"answerable": False}, "Make them agree"),
        ({"id": ""}, "id is empty"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(tmp_path, change, message):
    path = write(tmp_path / "c.jsonl", ROW, ROW | {"id": "x-2"} | change)
    with pytest.raises(UsageError, match=message) as caught:
        load_cases(path)
    assert f"{path}:2" in str(caught.value)


def test_a_missing_field_is_named(tmp_path):
    row = {key: value for key, value in ROW.items() if key != "question"}
    with pytest.raises(UsageError, match="missing field question"):
        load_cases(write(tmp_path / "c.jsonl", row))


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "holds no case"), ("{", "not JSON"), ("[1]\n", "expected a JSON object"), ("\xff", "cannot be read")],
)
def test_a_file_that_is_no_case_file(tmp_path, content, message):
    path = tmp_path / "c.jsonl"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=message):
        load_cases(path)


def test_an_id_is_used_once(tmp_path):
    with pytest.raises(UsageError, match="used twice"):
        load_cases(write(tmp_path / "c.jsonl", ROW, ROW))


@given(
    st.dictionaries(
        st.sampled_from(sorted(ROW)),
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.text()), st.just({})),
    )
)
def test_any_row_is_a_case_or_a_clear_error(change):
    row = ROW | change
    try:
        case = parse_case(row, "here")
    except UsageError as error:
        assert "here" in str(error)
    else:
        assert to_plain(case) == {**row, "evidence": list(row["evidence"])}


def test_every_place_of_a_quote_is_gold():
    located = locate([case_with("三")], {"n.md": "三二一三"}.__getitem__)
    assert located[0].gold == ((GoldSpan("n.md", 0, 1), GoldSpan("n.md", 3, 4)),)


def test_gold_spans_hold_their_quotes():
    texts = texts_of(FakeSubject())
    for located in located_cases():
        assert len(located.gold) == len(located.case.evidence)
        for evidence, group in zip(located.case.evidence, located.gold, strict=True):
            assert {texts(span.file)[span.start : span.end] for span in group} == {evidence.quote}


def test_a_quote_that_is_not_there_is_an_error():
    with pytest.raises(UsageError, match=r"x-1.*'四' is not in n\.md"):
        locate([case_with("四")], {"n.md": "三"}.__getitem__)


def test_an_unanswerable_case_has_no_gold():
    located = locate([case for case in make_cases() if not case.answerable], {}.__getitem__)
    assert all(not case.gold for case in located)


def test_the_overlay_adds_an_equally_good_place(tmp_path):
    row = {"id": "x-1", "evidence": 1, "file": "m.md", "quote": "叁", "reason": "states the same"}
    overlay = load_overlay(write(tmp_path / "o.jsonl", row, row | {"id": "other", "evidence": 9}))
    assert overlay[0] == Alternative("x-1", 1, "m.md", "叁", "states the same")
    located = locate([case_with("一", "三")], {"n.md": "一三", "m.md": "叁"}.__getitem__, overlay)
    assert located[0].gold == (
        (GoldSpan("n.md", 0, 1),),
        (GoldSpan("n.md", 1, 2), GoldSpan("m.md", 0, 1)),
    )


@pytest.mark.parametrize("index", [-1, True, "0", None])
def test_an_overlay_index_is_a_number_from_zero(tmp_path, index):
    row = {"id": "x-1", "evidence": index, "file": "m.md", "quote": "叁", "reason": "r"}
    with pytest.raises(UsageError, match="must be an index"):
        load_overlay(write(tmp_path / "o.jsonl", row))


def test_an_overlay_names_an_evidence_that_exists():
    with pytest.raises(UsageError, match="evidence 1 of case x-1"):
        locate([case_with("三")], {"n.md": "三"}.__getitem__, [Alternative("x-1", 1, "n.md", "三", "r")])


def test_texts_are_read_with_their_own_line_ends(tmp_path):
    (tmp_path / "n.md").write_bytes("一\r\n二".encode())
    assert texts_under(tmp_path)("n.md") == "一\r\n二"


@pytest.mark.parametrize("file", ["../secret.md", "/etc/hostname"])
def test_no_text_is_read_outside_the_notes(tmp_path, file):
    with pytest.raises(UsageError, match="outside"):
        texts_under(tmp_path)(file)


def test_a_text_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="Check --notes"):
        texts_under(tmp_path)("absent.md")
    with pytest.raises(UsageError, match="not in the index"):
        texts_of(FakeSubject())("absent.md")


def test_a_located_case_survives_the_run_file():
    for located in located_cases():
        plain = json.loads(json.dumps(to_plain(located)))
        assert from_plain(type(located), plain, "here") == located


def test_a_damaged_record_names_its_field():
    with pytest.raises(UsageError, match=r"here: evidence\.0\.quote"):
        from_plain(Case, ROW | {"evidence": [{"file": "n.md", "heading": ""}]}, "here")


def test_the_dev_questions_are_all_found_in_the_notes():
    shared = Path(__file__).parents[2].parent / "shared"
    if not shared.exists():
        pytest.skip("the user's real notes are not on this machine")
    located = locate(load_cases(shared / "gold" / "dev.jsonl"), texts_under(shared / "notes"))
    assert sum(bool(case.gold) for case in located) == sum(case.case.answerable for case in located) > 0
