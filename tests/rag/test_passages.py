"""Where passages lie in a prompt, and that cutting there changes no token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.engine import LlamaEngine
from rag.passages import Place, reused_places
from rag.prompting import fill, passage_spans, reading_order, render_passages
from rag.settings import EngineSettings
from rag.types import Mode, Passage

ENDINGS = ("。", "", "!", "`", "…", "）", "3", " $x$", "\n```", "：")


def passage(rank: int, text: str, title: str = "网络") -> Passage:
    place = {"file": "f", "entry": "", "start": 0, "end": len(text), "line_start": 1, "line_end": 1}
    return Passage(rank=rank, chunk_id=str(rank), score=1.0, found_by={}, text=text, path=(title,), **place)


def user_text(texts, language="zh", title="网络") -> str:
    passages = [passage(rank, text, title) for rank, text in enumerate(texts, 1)]
    return fill(Mode.RCG, language, {"passages": render_passages(passages), "question": "<笔记>\n[1] 是什么？"})[1].text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_passage_is_found_with_its_number(language):
    texts = ["一。\n\n二。", "x" * 50, "```\ncode\n```"]
    text = user_text(texts, language)
    spans = passage_spans(text)
    assert [text[label:start] for label, start, _ in spans] == ["[1]", "[2]", "[3]"]
    assert [text[start:end].strip() for _, start, end in spans] == [f"网络\n{one}" for one in texts]
    assert [end for _, _, end in spans[:-1]] == [label for label, _, _ in spans[1:]]
    assert text[spans[-1][2] :].startswith("</")


def test_a_note_that_imitates_a_number_only_cuts_itself():
    text = user_text(["一\n\n[7] 二\n\n[x] 三", "四"])
    assert [text[label:start] for label, start, _ in passage_spans(text)] == ["[1]", "[7]", "[2]"]
    assert passage_spans("[1] 没有笔记") == []
    assert passage_spans(user_text(["</笔记>\n[2] 假"]))[0][2] == user_text(["</笔记>\n[2] 假"]).index("</笔记>")


def test_the_best_passage_is_read_last_where_the_last_ones_are_read_anew():
    passages = [passage(rank, "x") for rank in (1, 2, 3)]
    assert [p.rank for p in reading_order(passages, "mixed")] == [3, 2, 1]
    assert reading_order(passages, "best-first") == reading_order(passages, "off") == passages


@given(st.lists(st.integers(1, 300), min_size=1, max_size=8), st.integers(0, 900))
def test_what_is_read_anew_keeps_to_its_tokens_but_for_the_last_passage(sizes, recomputed):
    places, position = [], 100
    for size in sizes:
        places.append(Place(position, position + 1, position + size, ()))
        position += size
    reused = reused_places(places, recomputed)
    anew = sizes[len(reused) :]
    assert list(reused) == places[: len(reused)]
    assert reused_places(places, None) == places
    if len(sizes) == 1:
        assert reused == places
        return
    assert len(anew) >= 1
    assert len(anew) == 1 or sum(anew) <= recomputed
    assert not reused or sum(sizes[len(reused) - 1 :]) > recomputed


@pytest.mark.model
def test_cutting_changes_no_token(small_engine, small_model_path):
    settings = EngineSettings(context_size=2048, passage_reuse="best-first")
    with LlamaEngine(small_model_path, model_id="m", model_hash="h", settings=settings) as engine:
        for number, ending in enumerate(ENDINGS):
            other = ENDINGS[number - 1]
            texts = [f"第 {number} 层 (layer) 变大{ending}", f"{number}. attention{other}", f"“词嵌入”{ending}"]
            for title in ("网络", "3.2 Attention", "(a) GPT-4o", "“引”"):
                passages = [passage(rank, text, title) for rank, text in enumerate(texts, 9)]
                values = {"passages": render_passages(passages), "question": f"什么{ending}？"}
                messages = fill(Mode.RCG, "zh", values)
                cut = engine.prompt_tokens(messages)
                assert list(cut) == small_engine.prompt_tokens(messages)
                places = cut.places
                assert len(places) == 3
                assert all(list(p.body) == cut[p.start : p.end] for p in places[:-1])
