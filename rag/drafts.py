"""From what a model wrote to sentences that can be judged: cleaned, with the answer first."""

import re
from itertools import pairwise
from typing import Final

from rag.evidence import features, without_repeats
from rag.text import split_sentences

# A clause belongs to the preamble when at most this share of it, and no name or number, does not stand in the question.
MAX_NEW_IN_PREAMBLE: Final = 0.1

# A marker as a model types it: [1], 【1、2】, (note 1); only where a clause ends, so that an array [0, 1] survives.
_MARKER = re.compile(
    r"\s*(?:[\[【〔](?:笔记|note)?\s*\d{1,2}(?:\s*[,，、]\s*\d{1,2})*[\]】〕]|[(（](?:笔记|note)\s*\d{1,2}[)）])"
    r"(?=\s*(?:[。，；！？.,;!?\[【]|$))",
    re.IGNORECASE,
)
_LATE_MARKER = re.compile(r"^\s*[\[【〔]\d{1,2}[\]】〕]\s*")
# Where a clause ends; not inside numbers, brackets or code.
_PREAMBLE = re.compile(r"[，；：]\s*|[,;:]\s+(?=[^\W\d])")
_OPEN_BRACKET = re.compile(r"[(（\[{]")
_CLOSED_BRACKET = re.compile(r"[)）\]}]")
_REFERENCE_TALK = re.compile(
    r"^(?:根据|依据|按照)?(?:上面的|上述|给出的|提供的)?(?:笔记|资料|notes?)(?:中|里)?[,，:：]?\s*"
)


def clean_sentence(text: str) -> str:
    """A sentence as the model wrote it, without typed markers and without "according to the notes".

    A marker behind a full stop ("….[1] Next") stands at the beginning of the sentence after it.
    """
    return _REFERENCE_TALK.sub("", _MARKER.sub("", _LATE_MARKER.sub("", text)).strip()).strip()


def draft_sentences(draft: str, question: str) -> list[str]:
    """What a model wrote, a sentence at a time, each cleaned and with the answer first, none twice."""
    cleaned = (clean_sentence(draft[start:end]) for start, end in split_sentences(draft))
    return list(dict.fromkeys(without_preamble(text, question) for text in cleaned if text))


def without_preamble(text: str, question: str) -> str:
    """A sentence without the clauses at its beginning that only repeat the question: the answer comes first."""
    ends = (match.end() for match in _PREAMBLE.finditer(text))
    whole = [end for end in ends if _is_whole(text[:end])]
    for start, end in pairwise([0, *whole]):
        if not _is_repeated(text[start:end], question):
            return text[start:]
    return text[whole[-1] :] if whole else text


def _is_whole(text: str) -> bool:
    """Whether a text opens no bracket and no code that it does not close."""
    return len(_OPEN_BRACKET.findall(text)) == len(_CLOSED_BRACKET.findall(text)) and text.count("`") % 2 == 0


def _is_repeated(clause: str, question: str) -> bool:
    """Whether a clause says nothing beyond the question. One without content may turn it around ("不是，")."""
    said, new = features(clause).units, features(without_repeats(clause, question))
    fresh = new.units - features(question).units
    named = (new.latin | new.numbers) & fresh
    return bool(said) and not named and len(fresh) <= MAX_NEW_IN_PREAMBLE * len(said)
