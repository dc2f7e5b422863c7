from ingest.outline import Outline, split_lines
from ingest.readers import glossary, outline
from rag.types import Document

NOTE = """### 火星车(rover)
    会走的机器。
    有六个轮子：
        前轮转向，
        后轮驱动。
    # 初始化
    def drive(x):
        for wheel in x:
            # 转动
            turn(wheel)

### 空词条

### 着陆
    第一步：减速
    ```python
# 不是标题
    ```
| 方法 | 说明 |
| --- | --- |
| 气囊 | 弹跳 |
"""


def read(text: str) -> Outline:
    return outline(Document("g.txt", text, "", "glossary"))


def test_indented_bodies_make_a_glossary():
    assert glossary.is_glossary(split_lines(NOTE))
    assert not glossary.is_glossary(split_lines("### a\ntext\n### b\ntext\n### c\n    code\n"))
    assert not glossary.is_glossary(split_lines("    just\n    code\n"))


def test_every_line_is_a_statement_and_deeper_lines_belong_to_it():
    result = read(NOTE)
    assert [(block.kind, NOTE[block.start : block.end].strip().split("\n")[0]) for block in result.blocks] == [
        ("heading", "### 火星车(rover)"),
        ("paragraph", "会走的机器。"),
        ("heading", "有六个轮子："),
        ("paragraph", "前轮转向，"),
        ("paragraph", "后轮驱动。"),
        ("paragraph", "# 初始化"),
        ("paragraph", "def drive(x):"),
        ("heading", "### 空词条"),
        ("heading", "### 着陆"),
        ("paragraph", "第一步：减速"),
        ("code", "```python"),
        ("table", "| 方法 | 说明 |"),
    ]
    code = result.blocks[6]
    assert NOTE[code.start : code.end].endswith("turn(wheel)")


def test_comments_are_no_headings_and_empty_entries_are_kept():
    entries = read(NOTE).entries
    assert [(entry.title, entry.aliases[:1], entry.is_empty) for entry in entries] == [
        ("火星车", ("rover",), False),
        ("空词条", (), True),
        ("着陆", (), False),
    ]


def test_a_label_names_what_is_indented_below_it_only():
    result = read(NOTE)
    assert [block.path for block in result.blocks[1:6]] == [
        ("火星车",),
        ("火星车", "有六个轮子"),
        ("火星车", "有六个轮子"),
        ("火星车", "有六个轮子"),
        ("火星车",),
    ]


def test_labels_nest_to_a_bound():
    text = (
        "### a\n"
        + "".join(" " * (4 + i) + f"标{i}：\n" for i in range(30))
        + " " * 40
        + "底\n### b\n    x\n### c\n    y\n"
    )
    assert max(len(block.path) for block in read(text).blocks) == 5
