from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evals import numerals, text


@pytest.mark.parametrize(
    "written",
    ["三亿四千万", "三億四千萬", "3.4亿", "3.4 億", "340 million", "340,000,000", "340M", "34000万"],
)
def test_one_number_in_many_forms(written):
    assert text.normalise(written) == "340000000"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("3万3千", "33000"),
        ("3 万 3 千", "33000"),
        ("三万三", "33000"),
        ("33K", "33000"),
        ("1.75万亿", "1750000000000"),
        ("二〇一七", "2017"),
        ("一千零五", "1005"),
        ("一百二", "120"),
        ("十二", "12"),
        ("三点五", "3.5"),
        ("百分之三十五", "35%"),
        ("35 percent", "35%"),
        ("１７．７％", "17.7%"),
        ("0.90", "0.9"),
    ],
)
def test_numerals(written, value):
    assert text.normalise(written) == value


@pytest.mark.parametrize("written", ["万一", "千万", "1.2.3", "int8", "conv5_3", "data-00000-of-00001", "GPT-3"])
def test_what_is_no_amount_stays(written):
    assert text.normalise(written) == written.lower()


def test_lists_of_numbers_are_not_thousands():
    assert text.normalise("(128,256,256,1)") == text.normalise("（128， 256， 256， 1）") == "(128,256,256,1)"
    assert text.normalise("2012，2013") == "2012,2013"


@pytest.mark.parametrize(
    ("written", "stated"),
    [
        ("统一的一般做法十分重要", set()),
        ("用了三层网络和12个头", {"3", "12"}),
        ("GPT-3 有 1750 亿参数", {"175000000000"}),
        ("int8 与 fp16", set()),
        ("从 10-50 中选", {"10", "50"}),
        ("第二种方法", {"2"}),
    ],
)
def test_stated_numbers(written, stated):
    assert numerals.stated_numbers(text.compatible(written)) == stated


def test_evidence_backs_more_than_a_claim_states():
    assert "3" in numerals.all_numbers("三者皆可") - numerals.stated_numbers("三者皆可")


@given(st.integers(1, 10**12 - 1))
def test_digits_and_separators_agree(n):
    assert text.normalise(f"{n:,}") == text.normalise(str(n)) == str(n)


@given(st.integers(1, 99_999_999))
def test_chinese_numerals_agree_with_digits(n):
    assert text.normalise(chinese(n)) == str(n)


@given(st.decimals(0, 10**9, places=3, allow_nan=False))
def test_plain_loses_nothing(value):
    assert Decimal(numerals.plain(value)) == value


@given(st.text(max_size=60))
@example("0\r0")
def test_normalise_never_fails_and_hides_no_case(written):
    found = text.normalise(written)
    assert found == text.normalise(written.replace("\u3000", " "))
    assert not any(c.isspace() for c in found.replace(" ", ""))


def chinese(n: int) -> str:
    """A number below 10^8 in Chinese, the school way."""
    if n >= 10_000:
        rest = n % 10_000
        gap = "零" if 0 < rest < 1000 else ""
        return chinese(n // 10_000) + "万" + gap + (chinese(rest) if rest else "")
    out, pending = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = n // unit % 10
        if digit:
            out += ("零" if pending and out else "") + "零一二三四五六七八九"[digit] + name
            pending = False
        else:
            pending = bool(out)
    return out


@pytest.mark.parametrize(
    ("written", "form", "holds"),
    [
        ("錯誤率 很高", "错误率", True),
        ("共十四层", "4层", False),
        ("共四層", "4 层", True),
        ("准确率 135%", "35%", False),
        ("版本 1.35", "35", False),
        ("核是 11 × 11", "11*11", True),
        ("this is similar", "SIM", False),
        ("用的是 SIM 模型", "SIM", True),
        ("多个 RNNs", "RNN", True),
        ("Label-Smoothing", "label smoothing", False),
        ("GPT-3 有三千多亿", "1750亿", False),
        ("有 1.75 千亿参数", "1750 亿", True),
    ],
)
def test_surface_forms(written, form, holds):
    assert text.holds_form(written, form) is holds


def test_claims_are_cut_by_rule():
    answer = "要点如下：\n1. 它有 3.5 层[1]。很快！\n- 第二点；e.g. this one. Another is here."
    assert text.claims(answer) == ["它有 3.5 层。", "很快！", "第二点；", "e.g. this one.", "Another is here."]


@given(st.text(max_size=200))
def test_claims_come_from_the_text(written):
    for claim in text.claims(written):
        assert claim and claim in text.strip_markers(written)


@pytest.mark.parametrize(
    ("written", "lang"), [("损失函数 loss", "zh"), ("the loss of 图", "en"), ("42 %", ""), ("", "")]
)
def test_language(written, lang):
    assert text.language(written) == lang


def test_latin_terms():
    assert text.latin_terms("用 BERT-large 做 attention，见 [1]") == {"bert-large", "attention"}
    assert text.latin_terms("We use GPT-3 and models by Google. Models are large.") == {"gpt-3", "google"}


def test_a_term_may_be_written_in_parts():
    known = text.term_vocabulary("BERT-large 与 GPT3，以及 skip-gram")
    assert not text.missing_terms(frozenset({"bert", "gpt-3", "skipgram", "bert-3"}), known)
    assert text.missing_terms(frozenset({"bart", "gpt-large-x"}), known) == {"bart", "gpt-large-x"}
