"""Shortening a text, taking things such as emoji, greetings or lists out of it, and putting citations into it."""

import re

from agents.prompts import content
from agents.prompts.lengths import count
from agents.prompts.surface import emoji_free, spans_of
from agents.prompts.types import Length, Unit
from rag.text import detect_language, split_sentences

_CLAUSE = re.compile(r"[,，;；、:：]\s*|\s+[–—-]\s+")
_FUNCTION = frozenset("的了在和与以是把将一用从到对及或") | frozenset("the a an of to and in is for with by".split())
_SENTENCE_BANS = frozenset(
    {"greeting", "apology", "closing", "preamble", "praise", "disclaimer", "question", "opinion", "contact", "price"}
)


def shortened(text: str, demand: Length, *, is_hard: bool = False) -> str:
    """The beginning of a text that keeps within a length: whole lines, sentences or clauses; ``is_hard``: words too."""
    high = demand.high or 0
    if demand.unit in (Unit.LINES, Unit.ITEMS):
        return _first_lines(text, demand)
    if demand.unit is Unit.PARAGRAPHS:
        return "\n\n".join(re.split(r"\n\s*\n", text.strip())[:high])
    if demand.unit is Unit.SENTENCES:
        spans = [span for span in split_sentences(text)]
        while len(spans) > 1 and count(text[: spans[-1][1]], Unit.SENTENCES) > high:
            spans.pop()
        return text[: spans[-1][1]].rstrip()
    for cut in (_sentence_cuts(text), _clause_cuts(text), _word_cuts(text) if is_hard else []):
        fitting = [
            end
            for end in cut
            if 0 < count(text[:end], demand.unit) <= high and count(text[:end], demand.unit) >= (demand.low or 0)
        ]
        if fitting:
            return _ended(text[: max(fitting)], text)
    return text


def without(text: str, what: str) -> str | None:  # noqa: PLR0911 - one return per thing
    """The text without a thing of the lexicon or a form; None where it cannot just be left out."""
    if what == "emoji":
        return emoji_free(text)
    if what in {"bullets", "markdown", "table", "bold", "heading", "fence"}:
        return _without_form(text, what)
    if what == "exclamation":
        return text.replace("！", "。").replace("!", ".")
    if what == "link":
        return _tidy(
            re.sub(
                r"[,，;]?\s*(?:see|at|via|more at|详见|参见|见|链接[:：])?\s*(?:\[([^\]]+)\]\()?(?:https?://|www\.)[^\s()，。；]*[\w/]\)?",
                r"\1",
                text,
                flags=re.IGNORECASE,
            )
        )
    if what == "parentheses":
        return _tidy(re.sub(r"\s*[（(][^()（）]*[)）]", "", text))
    if what == "citation":
        return _tidy(re.sub(r"\s*\[\d{1,3}\]|\s*【\d{1,3}】", "", text))
    if what in _SENTENCE_BANS:
        return _without_sentences(text, what)
    return None


def _first_lines(text: str, demand: Length) -> str:
    high, kept, n = demand.high or 0, [], 0
    lines = text.split("\n")
    if demand.unit is Unit.ITEMS and not any(count(line, demand.unit) for line in lines):
        return "\n".join(lines[:high])  # items without marks: one a line
    for line in lines:
        n += count(line, demand.unit)
        if not (count(line, demand.unit) and n > high):
            kept.append(line)
    return "\n".join(kept).rstrip()


def _sentence_cuts(text: str) -> list[int]:
    return [end for _, end in split_sentences(text)]


def _clause_cuts(text: str) -> list[int]:
    return [match.start() for match in _CLAUSE.finditer(text)]


def _word_cuts(text: str) -> list[int]:
    """Between English words, and between Chinese characters, never behind a function word."""
    ends = [match.end() for match in re.finditer(r"[A-Za-z0-9]+|[\u4e00-\u9fff]", text) if match[0] not in _FUNCTION]
    return [end for end in ends if text[end : end + 1] not in {"-", "'", "’"}]


def _ended(piece: str, whole: str) -> str:
    """The piece with the full stop that the whole text has."""
    stop = whole.rstrip()[-1:]
    piece = piece.rstrip(" ,，;；、:：")
    return piece + stop if stop in set("。.!！") and piece[-1:] not in set("。.!！?？") else piece


def _without_form(text: str, what: str) -> str:
    if what in {"bold", "markdown"}:
        text = re.sub(r"\*\*([^*\n]+)\*\*|(?<!\w)__([^_\n]+)__", lambda m: m[1] or m[2], text)
    if what in {"heading", "markdown"}:
        text = re.sub(r"^#{1,6}\s+", "", text, flags=re.MULTILINE)
    if what in {"fence", "markdown"}:
        text = re.sub(r"^\s*```[\w-]*\s*\n?", "", text, flags=re.MULTILINE)
    if what == "markdown":
        text = re.sub(r"\[([^\]\n]+)\]\((http[^)]*)\)", r"\1", text)
    if what in {"bullets", "markdown"}:
        text = _joined_list(text)
    if what in {"table", "markdown"} and re.search(r"^\s*\|", text, re.MULTILINE):
        rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line.strip().startswith("|")]
        cells = [
            [cell.strip() for cell in row] for row in rows if not all(re.fullmatch(r"[:\s-]*", cell) for cell in row)
        ]
        return "\n".join(": ".join(row) for row in cells)
    return text


def _joined_list(text: str) -> str:
    """The items of a list as one running text; other lines stay."""
    out: list[str] = []
    was_item = False
    for line in text.split("\n"):
        match = re.match(r"^\s*(?:[-*+•]|\d{1,2}[.)、])\s+(.*)$", line)
        if match and was_item:
            glue = "" if re.search("[\u4e00-\u9fff。]$", out[-1]) else " "
            out[-1] += glue + match[1]
        else:
            out.append(match[1] if match else line)
        was_item = bool(match)
    return "\n".join(out)


def _without_sentences(text: str, what: str) -> str | None:
    spans = split_sentences(text)
    marked = [(a, b) for a, b in spans if any(a <= start < b for start, _ in spans_of(text, what))]
    kept = [span for span in spans if span not in marked]
    if not kept:
        return _without_opening(text, what)
    out, previous = "", None
    for a, b in kept:
        out += ("" if previous is None else re.sub(r"\S", "", text[previous:a])) + text[a:b]
        previous = b
    return re.sub(r"[ \t]{2,}", " ", out).strip()


def _without_opening(text: str, what: str) -> str | None:
    """Of "Hello, the answer is 4." what follows the comma."""
    rest = re.sub(r"^[^,，!！:：]{1,24}[,，!！:：]\s*", "", text)
    if rest == text or any(start < len(rest) for start, _ in spans_of(rest, what)):
        return None
    return rest[:1].upper() + rest[1:]


def _tidy(text: str) -> str:
    return re.sub(r"[ \t]+([.,。，;；])", r"\1", re.sub(r"[ \t]{2,}", " ", text))


def cited(text: str, user: str) -> str | None:
    """Each sentence with the number of the note that shares most with it."""
    notes = list(re.finditer(r"\[(\d{1,3})\]\s*(.*?)(?=\[\d{1,3}\]|\n\s*\n|$)", user, re.DOTALL))
    if not notes:
        return None
    out, end = "", 0
    for start, stop in split_sentences(text):
        sentence = text[start:stop]
        if not re.search(r"\[\d", sentence):
            best = max(notes, key=lambda note: len(content.units(note[2]) & content.units(sentence)))
            body = sentence.rstrip("。.!！?？")
            glue = "" if detect_language(sentence) == "zh" else " "
            sentence = f"{body}{glue}[{best[1]}]{sentence[len(body) :]}"
        out += text[end:start] + sentence
        end = stop
    return out + text[end:]
