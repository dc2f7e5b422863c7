"""Sampling, and what of the decoded text may be shown."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.decoding import AnswerText, held_back, pick
from rag.errors import EngineError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scores(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def decode(tokens: list[bytes], *stop: str) -> tuple[list[str], str | None]:
    """Feed pieces until the text ends; equal pieces are equal tokens. Returns what was shown, piece by piece."""
    text = AnswerText(stop)
    ids = {piece: i for i, piece in enumerate(dict.fromkeys(tokens))}
    shown = []
    for piece in tokens:
        shown.append(text.push(ids[piece], piece))
        if text.finish:
            return shown, text.finish
    return [*shown, text.close()], None


def characters(text: str) -> list[bytes]:
    return [character.encode() for character in text]


def test_greedy_takes_the_first_of_equals():
    assert pick(scores(1, 3, 3), temperature=0, top_p=1, rng=rng()) == 1


def test_sampling_follows_the_softmax():
    draw = rng(3)
    drawn = [pick(scores(0, np.log(3), -np.inf), temperature=1, top_p=1, rng=draw) for _ in range(4000)]
    assert np.mean(np.array(drawn) == 1) == pytest.approx(0.75, abs=0.03)
    assert 2 not in drawn


def test_a_small_nucleus_is_greedy_and_a_larger_one_is_not():
    logits = scores(0, 1, 2)
    assert {pick(logits, temperature=1, top_p=0.5, rng=rng(i)) for i in range(50)} == {2}
    assert {pick(logits, temperature=1, top_p=0.8, rng=rng(i)) for i in range(50)} == {1, 2}


def test_equal_seeds_draw_equal_tokens():
    logits = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    first, again, other = (
        [pick(logits, temperature=1.5, top_p=0.9, rng=source) for _ in range(20)] for source in (rng(1), rng(1), rng(2))
    )
    assert first == again != other


@pytest.mark.parametrize("logits", [scores(np.nan, 1), scores(-np.inf, -np.inf)])
def test_unusable_scores_are_an_error(logits):
    with pytest.raises(EngineError, match="no usable scores"):
        pick(logits, temperature=0, top_p=1, rng=rng())


@given(st.text(max_size=60), st.integers(1, 4))
def test_text_cut_at_any_byte_is_shown_in_whole_characters(text, size):
    raw = text.encode("utf-8", errors="replace")
    answer = AnswerText(())
    shown = "".join(answer.push(i, raw[i * size : (i + 1) * size]) for i in range(-(-len(raw) // size)))
    assert shown + answer.close() == raw.decode()


def test_half_a_character_at_the_end_is_dropped():
    shown, _ = decode(["好".encode(), "明".encode()[:2]])
    assert "".join(shown) == "好"


def test_a_stop_string_over_several_tokens_is_never_shown():
    shown, finish = decode([b"ab\n", b"\nQue", b"stion", b":", b" more"], "\n\nQuestion:")
    assert (shown, finish) == (["ab", "", "", ""], "stop")


def test_text_that_only_looked_like_a_stop_is_shown():
    shown, finish = decode([b"a\n", b"\n", b"b"], "\n\n\n")
    assert (shown, finish) == (["a", "", "\n\nb", ""], None)


@given(st.lists(st.text("ab", max_size=3), max_size=12), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3))
def test_stops_cut_where_the_whole_text_would_be_cut(parts, stops):
    answer = AnswerText(stops)
    shown = ""
    for i, part in enumerate(parts):
        shown += answer.push(i, part.encode())
        if answer.finish:
            break
    shown += answer.close()
    read = "".join(parts[: i + 1]) if parts else ""
    cuts = [read.find(stop) for stop in stops if stop in read]
    assert shown == (read[: min(cuts)] if cuts else read)
    assert answer.finish == ("stop" if cuts else None)


def test_a_block_of_eight_tokens_three_times_in_a_row_ends_after_the_first_copy():
    shown, finish = decode(characters("前言，" + "甲乙丙丁戊己庚辛" * 4))
    assert ("".join(shown), finish) == ("前言，甲乙丙丁戊己庚辛", "repetition")
    assert len(shown) == 3 + 3 * 8


def test_a_single_token_that_never_ends_is_a_loop():
    shown, finish = decode(characters("哈" * 100))
    assert ("".join(shown), finish, len(shown)) == ("哈", "repetition", 24)


def test_a_sentence_said_three_times_in_a_row_is_shown_once():
    shown, finish = decode(["答案".encode(), "如下：".encode(), *["笔记里没有提到".encode(), "。".encode()] * 5])
    assert ("".join(shown), finish) == ("答案如下：笔记里没有提到。", "repetition")


def test_a_sentence_that_comes_back_between_others_is_cut_at_its_third_copy():
    again = characters("感受野会随层数变大。")
    shown, finish = decode(
        [*again, *characters("甲是一。"), *again, *characters("乙是二。"), *again, *characters("完")]
    )
    assert "".join(shown) == "感受野会随层数变大。甲是一。感受野会随层数变大。乙是二。"
    assert finish == "repetition"


@pytest.mark.parametrize(
    "text",
    [
        "是的。是的。是的。",
        "他说他说的话。他说他说的话。",
        "| 名称 | 值 |\n| --- | --- |\n| 甲 | 无 |\n| 乙 | 无 |\n| 丙 | 无 |",
    ],
)
def test_ordinary_repeats_are_kept(text):
    shown, finish = decode(characters(text))
    assert ("".join(shown), finish) == (text, None)


def test_code_may_repeat_short_lines():
    lines = [b"```\n", *[b"optimizer", b".step", b"()", b"\n"] * 3, b"```"]
    assert decode(lines) == (decode(lines)[0], None)
    assert decode(lines[1:])[1] == "repetition"


def test_a_loop_of_two_sentences_is_cut_after_the_first_round():
    shown, finish = decode(["甲是第一个字母。".encode(), "乙是第二个字母。".encode()] * 4)
    assert ("".join(shown), finish) == ("甲是第一个字母。乙是第二个字母。", "repetition")


@given(st.text("甲乙。\n", max_size=80))
def test_what_was_shown_is_always_a_beginning_of_what_was_decoded(text):
    shown, finish = decode(characters(text))
    assert text.startswith("".join(shown))
    assert finish == "repetition" or "".join(shown) == text


@pytest.mark.parametrize(
    ("text", "expected"), [("abc<", 1), ("abc<to", 3), ("abc<tool>", 0), ("<tool_cal", 9), ("", 0), ("x", 0)]
)
def test_held_back(text, expected):
    assert held_back(text, ("<tool_call>",)) == expected
