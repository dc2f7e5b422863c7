"""What a question determines by itself, and what it does not."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.numbers import all_numbers_in, chinese_number, numbers_in
from agents.tools.rules import propose


@pytest.mark.parametrize(
    ("question", "name", "arguments"),
    [
        ("3+5*2等于多少？", "calculate", {"expression": "3+5*2"}),
        ("What is 15% of 240?", "calculate", {"expression": "240*(15/100)"}),
        ("2的10次方是多少", "calculate", {"expression": "2**10"}),
        ("1,200 minus 300?", "calculate", {"expression": "1200-300"}),
        ("打开词条“水杉池化”。", "open_entry", {"title": "水杉池化"}),
        ("显示“水杉池化”这个词条的全文。", "open_entry", {"title": "水杉池化"}),
        ("Open the entry BirchNorm.", "open_entry", {"title": "BirchNorm"}),
        ("和水杉池化相关的词条有哪些？", "related_entries", {"title": "水杉池化"}),
        ("云杉网络的相关词条有哪些？", "related_entries", {"title": "云杉网络"}),
        ("List the entries related to NeedleLoss.", "related_entries", {"title": "NeedleLoss"}),
        ("今天星期几？", "date", {"day": "today"}),
        ("2024-02-28 之后 3 天是几号？", "date", {"day": "2024-02-28", "add_days": 3}),
        ("What day is 10 days before 2024年3月1日?", "date", {"day": "2024-03-01", "add_days": -10}),
        ("How many days from 2023-12-25 to 2024-01-05?", "date", {"day": "2023-12-25", "until": "2024-01-05"}),
        ("今天距离2030-01-01还有多少天", "date", {"day": "today", "until": "2030-01-01"}),
        (
            "输入224x224，7x7卷积，stride 2，padding 3，输出多大？",
            "convolution_output",
            {"kind": "conv", "input_size": [224, 224], "kernel_size": 7, "stride": 2, "padding": 3},
        ),
        (
            "A 2x2 max pool with stride 2 on a 28x28 feature map gives what size?",
            "convolution_output",
            {"kind": "pool", "input_size": [28, 28], "kernel_size": 2, "stride": 2},
        ),
        (
            "64×64 的输入经过 4x4 转置卷积，步长 2，填充 1，输出多大",
            "convolution_output",
            {"kind": "transposed", "input_size": [64, 64], "kernel_size": 4, "stride": 2, "padding": 1},
        ),
    ],
)
def test_a_question_that_says_everything(question, name, arguments):
    found = propose(question)
    assert (found.name, found.arguments) == (name, arguments)


@pytest.mark.parametrize(
    "question",
    [
        "RAG 和 RCG 有什么区别？",
        "GPT-3 有多少参数？",
        "ResNet-50 有几层？",
        "小明有 3 个苹果，又买了 5 个，一共多少个？",
        "batch size 32 和 64 哪个好",
        "输入 32×32，先 3x3 卷积再 2x2 池化，输出多大？",
        "2020-01-01 和 2021-01-01 有什么大事？",
        "3/4 的内容讲了什么",
        "论文是 2020 年的吗？",
        "",
    ],
)
def test_a_question_that_leaves_something_open(question):
    assert propose(question) is None


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=60))
def test_any_text_can_be_read(text):
    propose(text)
    all_numbers_in(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("三百二十", 320),
        ("二三", 23),
        ("十五", 15),
        ("一亿", 10**8),
        ("两万五千", 25000),
        ("零", 0),
        ("一千零一", 1001),
    ],
)
def test_chinese_numerals(text, number):
    assert chinese_number(text) == number


def test_numbers_in_digits_and_words():
    assert numbers_in("１５% 和 3万") == [15, Fraction(15, 100), 3, 30000]
    assert set(all_numbers_in("a dozen eggs and twenty")) == {12, 20}
    assert 3 in all_numbers_in("三个人")
