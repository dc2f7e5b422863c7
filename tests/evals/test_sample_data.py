"""The sample questions and notes are sound, and they and the red-team set are our own."""

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTES = ROOT / "data" / "sample_notes"
QUESTIONS = ROOT / "evals" / "data" / "sample_questions.jsonl"
REDTEAM = ROOT / "evals" / "data" / "redteam"
SHARED = ROOT.parent / "shared"

FIELDS = {"id", "question", "lang", "type", "answerable", "answer", "key_facts", "evidence"}
LEAST_BY_TYPE = {
    "definition": 8,
    "paraphrase": 8,
    "detail": 8,
    "comparison": 8,
    "multi_hop": 7,
    "crosslingual": 8,
    "noisy": 6,
    "false_premise": 7,
    "unanswerable": 20,
}
RUN = 20  # characters that two texts may not share
CHINESE_IN_RUN = 8  # a run with fewer is a name such as "思维链(Chain-of-Thought", which any note would spell so
LATIN_RUN = 48  # longer than the longest English name of a method


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text).casefold())


CASES = rows(QUESTIONS)
by_id = pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])


def test_there_are_enough_questions_of_every_type() -> None:
    counts = Counter(case["type"] for case in CASES)
    assert counts.keys() == LEAST_BY_TYPE.keys()
    assert {kind: n for kind, n in counts.items() if n < LEAST_BY_TYPE[kind]} == {}


def test_ids_and_questions_are_unique() -> None:
    assert len({case["id"] for case in CASES}) == len(CASES)
    assert len({squeezed(case["question"]) for case in CASES}) == len(CASES)


def test_a_question_on_each_file() -> None:
    cited = {item["file"] for case in CASES for item in case["evidence"]}
    assert cited == {path.name for path in NOTES.iterdir()}


@by_id
def test_fields(case: dict[str, Any]) -> None:
    assert set(case) == FIELDS
    assert case["lang"] in {"zh", "en", "mixed"}
    assert case["question"].strip()
    assert case["answer"].strip()
    assert all(forms and all(form.strip() for form in forms) for forms in case["key_facts"])
    assert (case["type"] == "crosslingual") <= (case["lang"] == "en")


@by_id
def test_answerable_means_evidence_and_facts(case: dict[str, Any]) -> None:
    assert case["answerable"] == bool(case["evidence"]) == bool(case["key_facts"])
    assert case["answerable"] == (case["type"] != "unanswerable")
    assert case["type"] not in {"comparison", "multi_hop"} or len(case["evidence"]) >= 2


@by_id
def test_each_quote_stands_once_in_one_line_of_its_file(case: dict[str, Any]) -> None:
    for item in case["evidence"]:
        assert set(item) == {"file", "heading", "quote"}
        text = (NOTES / item["file"]).read_text(encoding="utf-8")
        assert text.count(item["quote"]) == 1, item
        assert "\n" not in item["quote"]


@by_id
def test_the_heading_of_a_quote_is_in_its_file(case: dict[str, Any]) -> None:
    for item in case["evidence"]:
        text = (NOTES / item["file"]).read_text(encoding="utf-8")
        assert all(part in text for part in item["heading"].split(" > ")), item


@by_id
def test_the_first_form_of_each_fact_is_in_the_gold_answer(case: dict[str, Any]) -> None:
    if case["type"] == "false_premise":
        return
    answer = squeezed(case["answer"])
    assert [forms[0] for forms in case["key_facts"] if squeezed(forms[0]) not in answer] == []


def test_the_notes_have_the_shapes_and_traps_that_readers_must_survive() -> None:
    glossary, history, outline, papers, post = (
        (NOTES / name).read_text(encoding="utf-8")
        for name in ("glossary.txt", "history.md", "outline.md", "papers.md", "post.md")
    )
    assert sum(len(text) for text in (glossary, history, outline, papers, post)) >= 14_000
    assert len(re.findall(r"^### ", glossary, re.M)) >= 45
    assert all(line.startswith(("#", "    ")) for line in glossary.splitlines() if line)
    assert glossary.count("### 温度(temperature)\n") == 2
    assert re.search(r"^### [^\n]+\n\n###", glossary, re.M), "an entry without a body"
    assert re.search(r"^# ", glossary, re.M)
    assert re.search(r"^##### ", glossary, re.M)
    assert "###\u3000" in history
    assert re.search(r"\t+ {2}(collapsed|id):: ", outline)
    assert post.startswith("---\nlayout: post\n")
    assert max(len(line) for line in post.splitlines()) > 500
    assert "```html\n# Role" in post
    assert papers.count("\n## 特点\n") == len(re.findall(r"^# ", papers, re.M))
    for name in ("RCG", "RAG", "ROG"):
        assert f"### {name}（" in glossary


def runs_of(text: str) -> set[str]:
    """Every run of RUN characters that is mostly Chinese, and every long one, whitespace left out."""
    text = squeezed(text)
    short = {text[i : i + RUN] for i in range(len(text) - RUN + 1)}
    return {run for run in short if len(re.findall(r"[\u4e00-\u9fff]", run)) >= CHINESE_IN_RUN} | {
        text[i : i + LATIN_RUN] for i in range(len(text) - LATIN_RUN + 1)
    }


def test_the_overlap_check_sees_a_copied_sentence() -> None:
    sentence = (NOTES / "glossary.txt").read_text(encoding="utf-8")[200:260]
    assert runs_of(f"前面的话{sentence}后面的话") & runs_of(sentence)


def test_no_text_is_taken_from_the_real_notes_or_questions() -> None:
    if not (SHARED / "notes").is_dir():
        pytest.skip("the user's real notes are not on this machine")
    theirs = runs_of("\n".join(p.read_text(encoding="utf-8") for p in sorted((SHARED / "notes").glob("*.txt"))))
    dev = rows(SHARED / "gold" / "dev.jsonl")
    ours = [*NOTES.iterdir(), QUESTIONS, *(REDTEAM / "notes").iterdir(), REDTEAM / "cases.jsonl"]
    for path in ours:
        text = path.read_text(encoding="utf-8")
        assert runs_of(text) & theirs == set(), path.name
        assert runs_of(text) & runs_of("\n".join(f"{row['question']}\n{row['answer']}" for row in dev)) == set()
        assert [row["id"] for row in dev if squeezed(row["question"]) in squeezed(text)] == [], path.name
