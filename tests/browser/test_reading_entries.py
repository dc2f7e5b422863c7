"""Formulas, code and tables are drawn; a link to a span is copied, and opens its entry with the span in sight."""

import pytest
from browsing import Window
from serving import served

FILLING = "这一段只是用来占地方的话，和别的没有关系。\n\n" * 60
NOTES = f"""# 写法

## RCG

{FILLING}
RAG 把检索片段与参数知识混着用，RCG 只认检索片段。RCG 每一句都要能指回某个片段，片段里没有答案，就老实说没有。

## 注意力

注意力的权重是 $\\frac{{QK^T}}{{\\sqrt{{d}}}}$ 经过归一化得到的。

$$
\\mathrm{{softmax}}(x)_i = \\frac{{e^{{x_i}}}}{{\\sum_j e^{{x_j}}}}
$$

```python
def first(words):
    return words[0]  # {"很长的一行" * 60}
```

| 名 | 值 |
|---|---|
| 温度 | $\\tau = 0.5$ |
| 层数 | `48` |
"""


@pytest.fixture(scope="module")
def reading(launched, tmp_path_factory):
    notes = tmp_path_factory.mktemp("notes") / "写法.md"
    notes.write_text(NOTES, encoding="utf-8")
    with served(tmp_path_factory.mktemp("home"), [notes]) as address:
        yield address


@pytest.fixture
def reader(launched, reading):
    one = Window(launched, reading, width=360, height=740)
    yield one
    one.close()
    assert one.outside == []


def _entry(one):
    one.open("notes")
    one.button("注意力").click()
    one.page.locator(".mb-entry").wait_for()


def test_formulas_code_and_tables_are_drawn_and_nothing_is_wider_than_a_phone(reader):
    _entry(reader)

    reader.page.locator(".mb-math-block .katex-display").wait_for()
    assert reader.page.locator(".mb-entry .katex .mfrac").count() >= 2
    assert reader.page.locator(".mb-entry .katex-error").count() == 0
    assert "    return words[0]" in reader.page.locator("pre.mb-code").inner_text()
    assert reader.page.locator(".mb-entry th").all_inner_texts() == ["名", "值"]
    assert reader.page.locator(".mb-entry td .katex").count() == 1
    assert reader.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_a_link_to_a_span_is_copied_and_opens_it_in_sight(reader):
    reader.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=reader.address)
    reader.open()
    reader.ask("RCG和RAG有什么区别？")
    reader.page.locator("[class*=st-key-mb-drawer]").wait_for()
    reader.settle()
    reader.page.locator(".mb-source summary").first.click()

    reader.page.locator("button.mb-copy").first.click()
    reader.page.get_by_text("已复制").wait_for()
    copied = reader.page.evaluate("navigator.clipboard.readText()")
    quote = reader.page.locator(".mb-source mark").first.inner_text()
    assert copied.startswith(f"{reader.address}/notes?entry=")

    reader.page.goto(copied)
    mark = reader.page.locator(".mb-entry mark.mb-cited").first
    mark.wait_for()
    reader.page.wait_for_function(
        "() => { const at = document.querySelector('.mb-entry mark').getBoundingClientRect();"
        " return at.top > 0 && at.bottom < innerHeight }"
    )
    assert mark.inner_text()
    assert mark.inner_text().split()[0][:8] in quote
