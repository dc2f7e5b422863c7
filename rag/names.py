"""Finding known names in running text: as they are written, or nearly. The only module that imports rapidfuzz.

Names are compared by their *key*: the folded name without blanks, hyphens and underscores, so that "label smoothing",
"Label-Smoothing" and "标签 平滑" meet their names. Offsets count characters of the folded text.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rag.text import HAN

# Below this a key must be written as the name is: "a i" is not "AI".
MIN_LOOSE_CHARS = 4
# A shorter word has too many neighbours to guess from; four letters only for two swapped ones ("ddmp", DDPM).
MIN_MISSPELT_CHARS = 4
# From these lengths on a second edit still leaves the name recognisable.
TWO_EDITS_LATIN = 9
TWO_EDITS_HAN = 7
# Longer text is a passage, not a question, and is spelt as the notes spell.
MAX_GUESSED_CHARS = 300

LATIN = re.compile(r"[^\W_\u2e80-\U000323af]")
_IDENTIFIER = re.compile(rf"{LATIN.pattern}|_")
_JOINTS = " \t-_"
_WORDS = re.compile(rf"{LATIN.pattern}+(?:[-_ .+/]{LATIN.pattern}+)*")
_WORD = re.compile(rf"{LATIN.pattern}+")
_DIGITS = re.compile(r"\d+")
# Names of more words are rarely misspelt as a whole, and every window costs a search.
_MAX_WORDS = 3


@dataclass(frozen=True, slots=True)
class Match:
    """A name in a text: its key, the span in the folded text, and how alike they are (1 as written, else below)."""

    key: str
    start: int
    end: int
    similarity: float = 1.0


def key_of(folded: str) -> str:
    """What a folded name is compared by."""
    return "".join(character for character in folded if character not in _JOINTS) or folded


class Names:
    """A set of folded names, built once; finding costs about one look-up per character whatever their number."""

    def __init__(self, folded_names: Iterable[str]) -> None:
        self._written = {name for name in folded_names if name.strip()}
        self.keys = {key_of(name) for name in self._written}
        lengths: dict[str, set[int]] = defaultdict(set)
        for key in self.keys:
            lengths[key[:2]].add(len(key))
        self._lengths = {start: sorted(found, reverse=True) for start, found in lengths.items()}

    def every(self, folded: str) -> Iterator[Match]:
        """All names in a text, those inside longer ones too."""
        places = [place for place, character in enumerate(folded) if character not in _JOINTS]
        bare = "".join(folded[place] for place in places)
        for at in range(len(bare)):
            for length in (*self._lengths.get(bare[at : at + 2], ()), *self._lengths.get(bare[at], ())):
                key = bare[at : at + length]
                if len(key) == length and key in self.keys:
                    start, end = places[at], places[at + length - 1] + 1
                    if self._is_written(folded, start, end, key) and _stands_free(folded, start, end):
                        yield Match(key, start, end)

    def longest(self, folded: str) -> list[Match]:
        """The names in a text without overlap: longer ones first, then those further left."""
        taken = bytearray(len(folded))
        kept = []
        for match in sorted(set(self.every(folded)), key=lambda m: (m.start - m.end, m.start)):
            if not any(taken[match.start : match.end]):
                taken[match.start : match.end] = b"\1" * (match.end - match.start)
                kept.append(match)
        return kept

    def misspelt(self, folded: str, known: Sequence[Match]) -> list[Match]:
        """Names that a short text may mean where it writes none, or only part of one ("sentense-bert" holds "bert").

        Latin: one edit (swapped neighbours count as one), two in long names. Chinese: one other, missing or extra
        character in names of four and more. Digits and the first character must be right.
        """
        if len(folded) > MAX_GUESSED_CHARS:
            return []
        right = {match.key for match in known}
        guesses = [
            guess
            for guess in (*self._misspelt_latin(folded), *self._misspelt_han(folded))
            # A name written right with one more character beside it is no misspelling of itself.
            if guess.key not in right
        ]
        kept: list[Match] = []
        for guess in sorted(guesses, key=lambda match: (-match.similarity, match.start - match.end, match.start)):
            if not any(_meet(guess, other) for other in kept) and all(
                _lies_inside(match, guess) for match in known if _meet(match, guess)
            ):
                kept.append(guess)
        return kept

    def _is_written(self, folded: str, start: int, end: int, key: str) -> bool:
        return len(key) >= MIN_LOOSE_CHARS or end - start == len(key) or folded[start:end] in self._written

    def _misspelt_latin(self, text: str) -> Iterator[Match]:
        for phrase in _WORDS.finditer(text):
            words = list(_WORD.finditer(text, phrase.start(), phrase.end()))
            for first in range(len(words)):
                for last in range(first, min(first + _MAX_WORDS, len(words))):
                    start, end = words[first].start(), words[last].end()
                    yield from self._near_latin(key_of(text[start:end]), start, end)

    def _near_latin(self, word: str, start: int, end: int) -> Iterator[Match]:
        if len(word) < MIN_MISSPELT_CHARS or word.isdigit():
            return
        allowed = 2 if len(word) >= TWO_EDITS_LATIN else 1
        for length in range(len(word) - allowed, len(word) + allowed + 1):
            for name in self._latin.get((word[0], length), ()):
                edits = _edits(word, name, allowed)
                is_swap = sorted(word) == sorted(name)
                if 0 < edits <= allowed and (len(word) > MIN_MISSPELT_CHARS or is_swap) and _same_digits(word, name):
                    yield Match(name, start, end, 1 - edits / max(length, len(word)))

    def _misspelt_han(self, text: str) -> Iterator[Match]:
        shared = Counter(number for at in range(len(text) - 1) for number in self._bigrams.get(text[at : at + 2], ()))
        for number, count in shared.items():
            name = self._han[number]
            allowed = 2 if len(name) >= TWO_EDITS_HAN else 1
            # One edit spoils two pairs of neighbours at most.
            if count < len(name) - 1 - 2 * allowed:
                continue
            for start in (at for at, character in enumerate(text) if character == name[0]):
                for end in range(start + len(name) - allowed, min(start + len(name) + allowed, len(text)) + 1):
                    window = text[start:end]
                    edits = _edits(window, name, allowed)
                    if 0 < edits <= allowed and _same_digits(window, name):
                        yield Match(name, start, end, 1 - edits / len(name))

    @cached_property
    def _latin(self) -> dict[tuple[str, int], list[str]]:
        """Latin keys by first letter and length."""
        found: dict[tuple[str, int], list[str]] = defaultdict(list)
        for key in sorted(self.keys):
            if len(key) >= MIN_MISSPELT_CHARS and not HAN.search(key):
                found[key[0], len(key)].append(key)
        return found

    @cached_property
    def _han(self) -> list[str]:
        return sorted(key for key in self.keys if len(key) >= MIN_MISSPELT_CHARS and HAN.match(key))

    @cached_property
    def _bigrams(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for number, key in enumerate(self._han):
            for pair in {key[at : at + 2] for at in range(len(key) - 1)}:
                found[pair].append(number)
        return found


def is_misspelt(word: str, known: Iterable[str]) -> bool:
    """Whether a folded Latin word is an edit or two from a known one, with the same digits."""
    if len(word) < MIN_MISSPELT_CHARS:
        return False
    most = 2 if len(word) >= TWO_EDITS_LATIN else 1
    near = (other for other in known if abs(len(other) - len(word)) <= most and _same_digits(word, other))
    return any(_edits(word, other, most) <= most for other in near)


def _edits(left: str, right: str, most: int) -> int:
    """Edits between two words, a swap of neighbours being one (optimal string alignment); beyond ``most`` if more."""
    from rapidfuzz.distance import OSA

    return OSA.distance(left, right, score_cutoff=most)


def _same_digits(left: str, right: str) -> bool:
    """GPT-2 is no misspelt GPT-3."""
    return _DIGITS.findall(left) == _DIGITS.findall(right)


def _meet(one: Match, other: Match) -> bool:
    return one.start < other.end and other.start < one.end


def _lies_inside(inner: Match, outer: Match) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end and inner.end - inner.start < outer.end - outer.start


def _stands_free(text: str, start: int, end: int) -> bool:
    """Whether no Latin letter or digit continues a Latin name; short ones must not be part of an identifier either."""
    inside = LATIN if end - start >= MIN_LOOSE_CHARS else _IDENTIFIER
    before = start > 0 and LATIN.match(text[start]) and inside.match(text[start - 1])
    after = end < len(text) and LATIN.match(text[end - 1]) and inside.match(text[end])
    return not before and not after
