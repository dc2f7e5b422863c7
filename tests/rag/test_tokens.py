import stat
from collections import Counter

import jieba
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import tokens as module
from rag.tokens import NAME_WEIGHT, TITLE_WEIGHT, Tokenizer, chunk_tokens
from rag.types import Chunk

plain = Tokenizer()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("GPT-3", {"gpt-3", "gpt", "3"}),
        ("用 LLM.int8() 量化", {"llm.int8", "llm", "int8", "量化"}),
        ("P-tuning v2", {"p-tuning", "tuning", "v2"}),
        ("word2vec", {"word2vec", "word", "vec"}),
        ("β-VAE", {"β-vae", "vae"}),
        ("標籤取±1", {"±1", "1", "标签"}),
        ("显存降到0.2%", {"0.2%", "0.2", "显存"}),
        ("6144 和 64,895.00", {"6144", "64,895.00"}),
        ("f*(f-1)/2", {"f", "f-1", "2"}),
        ("axis=1,2,3", {"axis", "1", "2", "3"}),
        ("C++与C#", {"c++", "c#"}),
        ("ＢＥＲＴ模型", {"bert", "模型", "模", "型"}),
        ("bert模型", {"bert", "模型"}),
        ("eﬃcient", {"efficient"}),
        ("ニューラル", {"ニュ", "ラル"}),
        ("학습률", {"학습"}),
        ("Обучение", {"обучение"}),
    ],
)
def test_what_is_kept(text, wanted):
    assert wanted <= set(plain.tokens(text))


@pytest.mark.parametrize("text", ["", " \n", "？！…", "🙂🙂", "()[]{}", "the of what", "什么是的"])
def test_what_says_nothing_gives_nothing(text):
    assert plain.tokens(text) == []


def test_words_unigrams_and_bigrams():
    found = Counter(plain.tokens("卷积核"))
    assert found["卷积"] == 2, "once as a word and once as a bigram"
    assert found["积核"] == 1
    assert found["卷"] == 1
    assert found["核"] == 2, "a word of one character is also its unigram"


def test_function_words_neither_stand_alone_nor_in_bigrams():
    found = set(plain.tokens("什么是残差的作用"))
    assert "残差" in found
    assert found.isdisjoint({"什么", "是", "的", "是残", "差的", "的作"})


def test_traditional_and_simplified_give_the_same():
    assert plain.tokens("訓練神經網路") == plain.tokens("训练神经网路")


def test_names_weigh_more_than_characters():
    assert Counter(plain.tokens("adam"))["adam"] == NAME_WEIGHT


def test_terms_stay_whole():
    term = "倾斜三角学习率"
    assert term not in plain.tokens(f"它用{term}训练")
    assert term in Tokenizer([term]).tokens(f"它用{term}训练")


def test_the_global_jieba_does_not_learn_our_terms():
    Tokenizer(["倾斜三角学习率"]).tokens("加载")
    assert "倾斜三角学习率" not in jieba.dt.FREQ


def test_fingerprint_tells_terms_and_version(monkeypatch):
    first = Tokenizer(["残差连接", "注意力"]).fingerprint
    assert first == Tokenizer(["注意力", "残差连接", "注意力"]).fingerprint
    assert first != Tokenizer(["注意力"]).fingerprint
    monkeypatch.setattr(module, "TOKENIZER_VERSION", module.TOKENIZER_VERSION + 1)
    assert first != Tokenizer(["残差连接", "注意力"]).fingerprint


def test_jieba_caches_in_a_private_folder(monkeypatch, tmp_path, capfd):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    Tokenizer().tokens("加载词典")
    folder = tmp_path / "mingbai" / "jieba"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / "jieba.cache").stat().st_size > 0
    assert capfd.readouterr().err == ""


def test_a_cache_folder_that_cannot_be_made(monkeypatch, tmp_path):
    (tmp_path / "mingbai").write_text("a file in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(module.StorageError, match="jieba"):
        Tokenizer().tokens("加载")


@given(st.text(max_size=80))
def test_tokens_are_folded_and_never_blank(text):
    for token in plain.tokens(text):
        assert token == module.fold(token)
        assert token.strip() == token != ""


def test_chunk_tokens_weigh_names_and_hold_path_and_text():
    chunk = Chunk("c1", "a.md", "残差", ("ResNet",), ("视觉", "残差"), 0, 4, 1, 1, "跳过一层")
    found = Counter(chunk_tokens(chunk, plain))
    assert found["resnet"] == TITLE_WEIGHT * NAME_WEIGHT
    assert found["残差"] == TITLE_WEIGHT * Counter(plain.tokens("残差"))["残差"]
    assert found["视觉"] >= 1
    assert "跳过" in found
