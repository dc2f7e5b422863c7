"""A question with its gold evidence, kept as one line of a case file that ``mingbai eval`` reads."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import platformdirs

from evals.cases import locate, parse_case
from evals.types import Case, CaseType
from rag.errors import StorageError, UsageError
from rag.notebook import Notebook
from rag.text import detect_language
from rag.types import Passage

FILE = "cases.jsonl"
# Enough to find it again, short enough to read.
QUOTE_CHARS = 300


def default_path() -> Path:
    """Where cases are kept: the user's data folder."""
    return Path(platformdirs.user_data_dir("mingbai")) / FILE


def quotable(passage: Passage) -> list[str]:
    """The lines of a passage that can be quoted as evidence, without headings and blank lines."""
    lines = (line.strip() for line in passage.text.split("\n"))
    return [line[:QUOTE_CHARS] for line in lines if line and not line.startswith("#")]


def make(
    notebook: Notebook,
    question: str,
    kind: CaseType,
    *,
    answer: str,
    facts: str,
    evidence: Sequence[tuple[Passage, str]],
) -> Case:
    """A case, checked as the harness checks it.

    Args:
        notebook: where the quotes must stand.
        question: as it is asked.
        kind: "unanswerable" takes no evidence, every other kind needs some.
        answer: the expected answer in a sentence or two.
        facts: one fact a line, other ways to write it parted by "|".
        evidence: passages, each with a line of it.

    Raises:
        UsageError: the case would be refused by the harness; says why.
    """
    is_answerable = kind is not CaseType.UNANSWERABLE
    quotes = [
        {"file": passage.file, "heading": passage.entry, "quote": quote}
        for passage, quote in (evidence if is_answerable else ())
    ]
    row: dict[str, object] = {
        "id": f"ui-{uuid.uuid4().hex[:8]}",
        "question": question,
        "lang": detect_language(question),
        "type": kind.value,
        "answerable": is_answerable,
        "answer": answer.strip(),
        "key_facts": _facts(facts),
        "evidence": quotes,
    }
    case = parse_case(row, "the case")
    locate([case], lambda file: _text_of(notebook, file))
    return case


def append(case: Case, path: Path) -> None:
    """Add a case to a case file, which is made when it is not there.

    Raises:
        StorageError: the disk is full or not writable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(case), ensure_ascii=False) + "\n")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}. Free disk space, or move the file.") from error


def _facts(text: str) -> list[list[str]]:
    facts = ([form.strip() for form in line.split("|") if form.strip()] for line in text.split("\n"))
    return [forms for forms in facts if forms]


def _text_of(notebook: Notebook, file: str) -> str:
    try:
        return notebook.document_text(file)
    except KeyError as error:
        raise UsageError(f"{file} is not in the index any more. Search again.") from error
