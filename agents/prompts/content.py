# ruff: noqa: E501 - a pattern or a table is read as one line
"""Content words of a clause, for comparing demands that the lexicon has no name for."""

import re
from functools import lru_cache

from agents.prompts.polarity import without_polarity
from rag.text import fold

_HAN = re.compile("[\u3400-\u9fff]+")
_WORD = re.compile(r"[a-z][a-z0-9'-]*|\d+")
_STOP_HAN = frozenset(
    "的了是在和与也都就而及或之其它他这那把被为以于对个等时会可能进行们我你有并且不要使用给出用写每条地得着过"
)
_STOP = frozenset(
    "a an the is are was were be been of in on at to for from by with as and or but if then than that this these those it "
    "its they them their which who what when where how why can could may might will would do does did has have had not no so "
    "such into over under also very more most only just all each both some any there here we you i your use using include "
    "add give provide write make sure put keep any every one ever even them him her his "
    "user users question questions leave leaves out".split()
)
# Written differently, the same for our purpose.
_FILLER = re.compile(
    "任何|具体|一些|所有|全部|相关|一个|某个|每个|每次|各种|适当|简短|详细|末尾|开头|结尾|最后|必要|整个|一定|绝对|直接|尽量|尽可能|一步一步|展示|写出|列出|写明"
)
_SAME = {
    "utilise": "use",
    "utilize": "use",
    "cite": "citation",
    "cites": "citation",
    "quoted": "quote",
    "replies": "reply",
}
_ACTS = frozenset(
    "suggest propos mention tell say show name list offer end finish start begin open clos stat discuss describ present insert".split()
)
"""Stems of what is done with a thing."""
_STRONG_OVERLAP = 0.7
_WEAK_OVERLAP = 0.3


@lru_cache(4096)
def units(clause: str) -> frozenset[str]:
    """Stemmed Latin words and Chinese character pairs, without words of demand, negation and grammar."""
    plain = fold(_FILLER.sub(" ", without_polarity(clause)))
    found = {_stem(word) for word in _WORD.findall(plain) if word not in _STOP}
    for run in _HAN.findall(plain):
        for piece in "".join(" " if c in _STOP_HAN else c for c in run).split():
            found.update(piece[i : i + 2] for i in range(len(piece) - 1))
            if len(piece) == 1:
                found.add(piece)
    return frozenset(found)


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of the smaller set that the other holds (Broder, 1997), 0 for an empty one."""
    return len(one & other) / min(len(one), len(other)) if one and other else 0.0


def same_matter(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two demands surely speak of the same."""
    return len(one & other) >= 2 and overlap(one, other) >= _STRONG_OVERLAP and _balanced(one, other)


def same_object(banned: frozenset[str], wanted: frozenset[str]) -> bool:
    """Whether a demand names all that a ban names, whatever is to be done with it: "suggest a fix", "end with a fix"."""
    things = banned - _ACTS
    return any(len(thing) > 1 for thing in things) and things <= wanted


def related(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two demands may speak of the same, which a model has to judge."""
    return bool(one & other) and overlap(one, other) >= _WEAK_OVERLAP


def _balanced(one: frozenset[str], other: frozenset[str]) -> bool:
    return max(len(one), len(other)) <= 3 * min(len(one), len(other))


def _stem(word: str) -> str:
    word = _SAME.get(word, word)
    for ending in ("ing", "ed", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word.removesuffix("e") if len(word) > 4 else word
