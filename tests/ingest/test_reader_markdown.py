import pytest

from ingest.outline import Outline, split_lines
from ingest.readers import markdown, outline
from rag.types import Document


def read(text: str, flavour: str = "markdown") -> Outline:
    return outline(Document("notes/mars.md", text, "", flavour))


def slices(text: str, result: Outline) -> list[tuple[str, str]]:
    return [(block.kind, text[block.start : block.end]) for block in result.blocks]


@pytest.mark.parametrize(
    ("line", "heading"),
    [
        ("# Rover", (1, "Rover")),
        ("###　Rover", (3, "Rover")),
        ("##Rover", (2, "Rover")),
        ("## Rover ##  ", (2, "Rover")),
        ("# C#", (1, "C#")),
        ("#topic", None),
        ("    # comment", None),
        (" # nearly", None),
        ("####### seven", None),
        ("##", None),
        ("# #", None),
        ("# " + "x" * 201, None),
    ],
)
def test_headings_stand_at_column_zero(line, heading):
    assert markdown.heading_of(split_lines(line)[0]) == heading


def test_blocks_of_every_kind_are_exact_slices():
    text = (
        "Intro line\nsecond line\n\n# Rover\n\n- wheel\n  - spoke\n\n  more on it\n- mast\nlazy line\n\n"
        "1、first\n2_1、second\n\n```python\n# no heading\nx = 1\n\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        "Text:\n\n    code = 1\n\n    more = 2\n\n---\n\n***\n- \nend\n"
    )
    assert slices(text, read(text)) == [
        ("paragraph", "Intro line\nsecond line"),
        ("heading", "# Rover"),
        ("item", "- wheel\n  - spoke\n\n  more on it"),
        ("item", "- mast\nlazy line"),
        ("item", "1、first"),
        ("item", "2_1、second"),
        ("code", "```python\n# no heading\nx = 1\n\n```"),
        ("table", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("paragraph", "Text:"),
        ("code", "    code = 1\n\n    more = 2"),
        ("item", "- \nend"),
    ]


def test_tilde_fences_nested_fences_and_unclosed_fences():
    text = "~~~\n```\n# no\n~~~\n\n````md\n```\n# no\n```\n````\n\n```\n# yes\ntext\n"
    result = read(text)
    assert [entry.title for entry in result.entries] == ["mars", "yes"]
    assert [kind for kind, _ in slices(text, result)] == ["code", "code", "paragraph", "heading", "paragraph"]


def test_setext_headings_need_a_blank_line_and_one_line_of_title():
    text = "Rover\n=====\ndrives\n\nWheel\n---\nturns\n\nlong\nparagraph\n---\n\n    code\n---\n"
    result = read(text)
    assert [(entry.title, entry.path) for entry in result.entries] == [
        ("Rover", ("Rover",)),
        ("Wheel", ("Rover", "Wheel")),
    ]
    assert text[result.entries[1].body_start :].startswith("turns")


def test_paths_nest_and_entries_span_what_is_below_them():
    text = "# Mars\nred\n## Rover\ndrives\n### Wheel\nturns\n## Base\nstands\n"
    result = read(text)
    assert [entry.path for entry in result.entries] == [
        ("Mars",),
        ("Mars", "Rover"),
        ("Mars", "Rover", "Wheel"),
        ("Mars", "Base"),
    ]
    rover = result.entries[1]
    assert text[rover.start : rover.end] == "## Rover\ndrives\n### Wheel\nturns\n"
    assert text[rover.body_start : rover.end].startswith("drives")
    assert {block.section for block in result.blocks if block.entry == 1}.isdisjoint(
        {block.section for block in result.blocks if block.entry != 1}
    )


def test_a_stray_shallow_level_is_a_sibling_of_the_first_level():
    text = "".join(f"### term{i}\nbody\n" for i in range(15)) + "# slip\nbody\n" + "### after\nbody\n##### deep\nbody\n"
    paths = [entry.path for entry in read(text).entries]
    assert paths[15:] == [("slip",), ("after",), ("after", "deep")]


def test_a_common_shallow_level_is_structure():
    text = "".join(f"## a{i}\nbody\n### b{i}\nbody\n" for i in range(3)) + "# c\nbody\n## d\nbody\n"
    assert read(text).entries[-1].path == ("c", "d")


def test_a_heading_that_comes_back_is_a_facet_of_its_parents():
    text = "".join(f"# model{i}\n## Usage\nrun it\n## Own {i}\nother\n" for i in range(3))
    result = read(text)
    assert [entry.title for entry in result.entries] == ["model0", "Own 0", "model1", "Own 1", "model2", "Own 2"]
    facet = next(block for block in result.blocks if text[block.start : block.end] == "run it")
    assert facet.path == ("model0", "Usage")
    assert result.entries[facet.entry].title == "model0"


def test_a_heading_that_comes_back_twice_is_an_entry():
    text = "".join(f"# model{i}\n## Usage\nrun it\n" for i in range(2))
    assert [entry.path for entry in read(text).entries][1] == ("model0", "Usage")


def test_equal_titles_side_by_side_are_two_entries():
    result = read("### 标记(mark)\none\n### 标记(mark)\ntwo\n")
    assert [(entry.title, entry.is_empty) for entry in result.entries] == [("标记", False), ("标记", False)]


def test_entries_are_empty_when_nothing_but_headings_is_below_them():
    text = "# a\n\n# b\n## c\ntext\n# d\n## e\n\n---\n<img src='x.png'>\n![](x.png)\n"
    assert {entry.title: entry.is_empty for entry in read(text).entries} == {
        "a": True,
        "b": False,
        "c": False,
        "d": True,
        "e": True,
    }


def test_a_picture_with_a_description_and_an_address_are_text():
    text = "![the rover](x.png)\n\n<https://example.org>\n"
    assert len(read(text).blocks) == 2


def test_plain_text_has_one_entry_and_no_indented_code():
    text = "　　第一段。\n\n    缩进的一段。\n1.5 倍速度\n"
    result = read(text, "text")
    assert [entry.title for entry in result.entries] == ["mars"]
    assert slices(text, result) == [("paragraph", "　　第一段。"), ("paragraph", "    缩进的一段。\n1.5 倍速度")]


def test_bold_text_and_formulas_are_no_items():
    text = "**bold** text\n*emphasis* text\n-5 degrees\n$64,895.00 paid\n3 * 3 cells\n"
    assert slices(text, read(text)) == [("paragraph", text.strip())]
