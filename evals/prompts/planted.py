# ruff: noqa: E501 - a pattern or a table is read as one line
"""The planted-defect set: prompts of our own, spoilt in known ways, with what a repair must and must not change.

A seed names its mutations: sentences that contradict one of its rules (``insert`` against ``against``), changes of its
output format (``old`` to ``new``), assistant turns that break a rule, and harmless additions (``negatives``). All cases of
a seed are in one split. ``hand`` cases were written one by one and have no repair checks.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources

from agents.prompts import Example
from rag.errors import UsageError

Check = Mapping[str, object]
SPLITS = ("dev", "test", "hand")
GROUPS = ("contradiction", "format", "fewshot", "mixed", "clean")


@dataclass(frozen=True, slots=True)
class Planted:
    """One prompt of the set. ``types`` are its defects; ``tolerated`` ones follow from them and are not scored.

    ``checks`` hold for a repaired version; ``kept`` are lines that every version must still have.
    """

    id: str
    seed: str
    lang: str
    split: str
    group: str
    prompt: str
    examples: tuple[Example, ...]
    types: frozenset[str]
    tolerated: frozenset[str] = frozenset()
    checks: tuple[tuple[int | None, Check], ...] = ()
    kept: tuple[str, ...] = ()


def load(split: str) -> list[Planted]:
    """The cases of a split. Raises UsageError for an unknown one."""
    if split not in SPLITS:
        raise UsageError(f"Unknown split {split!r}. Use one of: {', '.join(SPLITS)}.")
    if split == "hand":
        return [_hand(row) for row in _read("prompt_hand.toml")["case"]]
    return [case for seed in _read(f"prompt_seeds_{split}.toml")["seed"] for case in _cases(_Seed.of(seed, split))]


@dataclass(frozen=True, slots=True)
class _Seed:
    id: str
    lang: str
    split: str
    prompt: str
    examples: tuple[Example, ...]
    contradictions: tuple[Check, ...]
    formats: tuple[Check, ...]
    fewshots: tuple[Check, ...]
    negatives: tuple[str, ...]
    mixed: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, row: Mapping[str, object], split: str) -> "_Seed":
        checks = {name: tuple(_tables(row[name])) for name in ("contradictions", "formats", "fewshots")}
        negatives = tuple(str(text) for text in _rows(row["negatives"]))
        mixed = tuple((pair[0], pair[1]) for pair in _rows(row["mixed"]) if isinstance(pair, list))
        prompt = str(row["prompt"]).strip("\n")
        name, lang, examples = str(row["id"]), str(row["lang"]), _examples(row)
        return cls(name, lang, split, prompt, examples, negatives=negatives, mixed=mixed, **checks)

    def case(self, name: str, group: str, prompt: str, **more: object) -> Planted:
        """A case of this seed."""
        types = more.pop("types", frozenset({group}))
        examples = more.pop("examples", self.examples)
        return Planted(f"{self.id}-{name}", self.id, self.lang, self.split, group, prompt, examples, types, **more)  # type: ignore[arg-type]


def _cases(seed: _Seed) -> Iterator[Planted]:
    yield seed.case("clean", "clean", seed.prompt, types=frozenset(), kept=_lines(seed.prompt))
    for i, text in enumerate(seed.negatives):
        prompt = inserted(seed.prompt, text)
        yield seed.case(f"clean{i}", "clean", prompt, types=frozenset(), kept=_lines(prompt))
    for i, row in enumerate(seed.contradictions):
        prompt, check, kept = _contradicted(seed, row)
        yield seed.case(f"contradiction{i}", "contradiction", prompt, checks=((None, check),), kept=kept)
    for i, row in enumerate(seed.formats):
        yield _format_case(seed, i, row)
    for i, row in enumerate(seed.fewshots):
        examples, index, check = _spoilt(seed, row)
        yield seed.case(
            f"fewshot{i}", "fewshot", seed.prompt, examples=examples, checks=((index, check),), kept=_lines(seed.prompt)
        )
    for i, (a, b) in enumerate(seed.mixed):
        prompt, check, kept = _contradicted(seed, seed.contradictions[a])
        examples, index, other = _spoilt(seed, seed.fewshots[b])
        yield seed.case(
            f"mixed{i}", "mixed", prompt, types=frozenset({"contradiction", "fewshot"}), examples=examples,
            checks=((None, check), (index, other)), kept=kept,
        )  # fmt: skip


def inserted(prompt: str, text: str) -> str:
    """The prompt with a line more: behind the last line with the same list mark, else at the end."""
    lines = prompt.split("\n")
    mark = text[:2] if text[:2] in {"- ", "* "} else None
    places = [i for i, line in enumerate(lines) if mark and line.startswith(mark)]
    at = places[-1] + 1 if places else len(lines)
    return "\n".join([*lines[:at], text, *lines[at:]])


def _contradicted(seed: _Seed, row: Check) -> tuple[str, Check, tuple[str, ...]]:
    text, against = str(row["insert"]), str(row["against"])
    kept = tuple(line for line in _lines(seed.prompt) if line != against and against not in line)
    return inserted(seed.prompt, text), {"not_both": [against, text]}, kept


def _format_case(seed: _Seed, i: int, row: Check) -> Planted:
    check = row["check"]
    if "insert" in row:
        prompt = inserted(seed.prompt, str(row["insert"]))
    else:
        prompt = seed.prompt.replace(str(row["old"]), str(row["new"]))
    common = set(_lines(seed.prompt)) & set(_lines(prompt))
    kept = tuple(line for line in _lines(seed.prompt) if line in common and line.strip()[:1] not in '{}"`')
    # An added form that the examples do not have makes them wrong too.
    tolerated = frozenset({"fewshot", "contradiction"}) if "insert" in row else frozenset({"fewshot"})
    return seed.case(f"format{i}", "format", prompt, tolerated=tolerated, checks=((None, check),), kept=kept)


def _spoilt(seed: _Seed, row: Check) -> tuple[tuple[Example, ...], int, Check]:
    index, check = row["index"], row["check"]
    if not isinstance(index, int) or not isinstance(check, dict):
        raise UsageError(f"A few-shot mutation of {seed.id} is malformed: {row}.")
    spoilt = Example(seed.examples[index].user, str(row["assistant"]))
    return (*seed.examples[:index], spoilt, *seed.examples[index + 1 :]), index, check


def _hand(row: Mapping[str, object]) -> Planted:
    types = frozenset(str(name) for name in _rows(row["types"]))
    group = next(iter(types)) if types else "clean"
    prompt = str(row["prompt"])
    kept = () if types - {"fewshot"} else _lines(prompt)
    return Planted(
        str(row["id"]), str(row["id"]), str(row["lang"]), "hand", group, prompt, _examples(row), types, kept=kept
    )


def _examples(row: Mapping[str, object]) -> tuple[Example, ...]:
    return tuple(Example(str(pair["user"]), str(pair["assistant"])) for pair in _tables(row.get("examples", [])))


def _lines(prompt: str) -> tuple[str, ...]:
    return tuple(line for line in prompt.split("\n") if line.strip())


def _rows(value: object) -> list[object]:  # the callers know the shape of the files that we wrote
    if not isinstance(value, list):
        raise UsageError(f"A list was expected in the planted-defect set, not {value!r}.")
    return value


def _tables(value: object) -> list[Mapping[str, object]]:
    return [row for row in _rows(value) if isinstance(row, dict)]


def _read(name: str) -> Mapping[str, list[Mapping[str, object]]]:
    return tomllib.loads(resources.files("evals").joinpath("data", name).read_text(encoding="utf-8"))
