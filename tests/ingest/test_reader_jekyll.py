from ingest.readers import jekyll, outline
from rag.types import Document

POST = '---\nlayout: post\ntitle: "Mars notes"\ntags: [a, b]\n---\n\nIntro.\n\n#### Rover\ndrives\n'


def test_front_matter_is_left_out_and_its_title_leads_every_path():
    result = outline(Document("p.md", POST, "", "jekyll"))
    assert [block.path for block in result.blocks] == [("Mars notes",)] + [("Mars notes", "Rover")] * 2
    assert result.blocks[0].start == POST.index("Intro.")
    assert [entry.title for entry in result.entries] == ["Mars notes", "Rover"]


def test_a_title_that_is_also_the_first_heading_comes_once():
    text = "---\ntitle: Rover\n---\n# Rover\ndrives\n## Wheel\nturns\n"
    result = outline(Document("p.md", text, "", "jekyll"))
    assert [entry.path for entry in result.entries] == [("Rover",), ("Rover", "Wheel")]


def test_a_rule_at_the_start_is_no_front_matter():
    for text in ("---\n\njust text\n\n---\n", "---\ntitle: never closed\n", "---", "text\n---\na: b\n---\n", ""):
        assert jekyll.body_start(text) == 0


def test_front_matter_without_a_body_is_found():
    text = "---\ntitle: x\n---"
    assert jekyll.body_start(text) == len(text)
    assert outline(Document("p.md", text, "", "jekyll")).blocks == ()
