"""The embedder: prompts, order, batches and errors with a fake encoder; the real weights against the library."""

import json
import logging
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import embedder as module
from rag import model_store
from rag.embedder import SentenceTransformerEmbedder, batches
from rag.errors import ModelError, ModelMissingError

DIMENSION = 8
MAX_TOKENS = 20


class FakeEncoder:
    """Counts characters as tokens; the vector of a text depends on nothing but the text."""

    max_tokens = MAX_TOKENS

    def __init__(self):
        self.batches: list[list[str]] = []

    def count_tokens(self, text):
        return len(text)

    def encode(self, texts):
        self.batches.append(list(texts))
        return np.array([np.random.default_rng(list(text.encode())).normal(size=DIMENSION) * 3 for text in texts])


@pytest.fixture
def folder(tmp_path):
    """The parts of a model folder that are read before the weights."""
    (tmp_path / "2_Dense").mkdir()
    modules = [{"type": "sentence_transformers.models.Transformer", "path": ""}, {"type": "x.Dense", "path": "2_Dense"}]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "config.json").write_text('{"hidden_size": 4}')
    (tmp_path / "2_Dense" / "config.json").write_text(json.dumps({"in_features": 4, "out_features": DIMENSION}))
    return tmp_path


@pytest.fixture
def encoder(monkeypatch):
    fake = FakeEncoder()
    monkeypatch.setattr(module, "_load", lambda *_: (fake, 0))
    return fake


def make(folder, **options):
    return SentenceTransformerEmbedder(
        folder,
        model_id="fake",
        model_hash="0" * 64,
        query_prompt=options.pop("query_prompt", "q:{text}"),
        document_template="t:{title}|{text}",
        **options,
    )


def test_prompts_are_filled_and_braces_in_notes_stay(folder, encoder):
    embedder = make(folder)
    embedder.embed_documents(["A > B", "", " "], ["{x}", "y", "z"])
    embedder.embed_query("{title}?")
    assert sorted(text for batch in encoder.batches for text in batch) == sorted(
        ["t:A > B|{x}", "t:none|y", "t:none|z", "q:{title}?"]
    )


def test_a_missing_title_has_the_word_of_the_model(folder, encoder):
    make(folder, missing_title="-").embed_documents([""], ["y"])
    assert encoder.batches == [["t:-|y"]]


@given(st.lists(st.text(max_size=12), max_size=12))
def test_order_is_kept_and_vectors_have_length_one(texts):
    fake = FakeEncoder()
    embedder = SentenceTransformerEmbedder.__new__(SentenceTransformerEmbedder)
    embedder.__dict__ |= {"_dimension": DIMENSION, "_encoder": fake, "_batch_tokens": 30, "_lock": threading.Lock()}
    embedder.__dict__ |= {"_document_template": "{title}{text}", "_missing_title": "", "_truncated": 0}
    vectors = embedder.embed_documents([""] * len(texts), texts)
    assert vectors.shape == (len(texts), DIMENSION)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for text, vector in zip(texts, vectors, strict=True):
        alone = fake.encode([text.encode("utf-8", "replace").decode()])[0]
        assert np.allclose(vector, alone / np.linalg.norm(alone), atol=1e-6)


def test_nothing_in_gives_an_empty_matrix_without_loading(folder, monkeypatch):
    monkeypatch.setattr(module, "_load", lambda *_: pytest.fail("loaded"))
    assert make(folder).embed_documents([], []).shape == (0, DIMENSION)


def test_the_dimension_is_known_without_loading(folder, monkeypatch):
    monkeypatch.setattr(module, "_load", lambda *_: pytest.fail("loaded"))
    embedder = make(folder)
    assert (embedder.dimension, embedder.model_id, embedder.model_hash) == (DIMENSION, "fake", "0" * 64)


def test_titles_and_texts_must_pair(folder, encoder):
    with pytest.raises(ValueError, match="zip"):
        make(folder).embed_documents(["a"], ["b", "c"])


def test_cuts_are_counted_and_logged(folder, encoder, caplog):
    embedder = make(folder)
    with caplog.at_level(logging.WARNING):
        embedder.embed_documents(["", ""], ["x" * MAX_TOKENS, "short"])
        assert embedder.truncated == 1
        embedder.embed_query("y" * 100)
    assert embedder.truncated == 2
    assert "1 texts are longer than the 20 tokens" in caplog.text


def test_progress_tells_how_many_are_done(folder, encoder):
    done: list[int] = []
    make(folder).embed_documents(["", "", ""], ["a", "b", "c"], progress=done.append)
    assert done == [1, 2, 3]


def test_a_question_is_embedded_once_and_cannot_be_changed(folder, encoder):
    embedder = make(folder)
    first, second = embedder.embed_query("什么"), embedder.embed_query("什么")
    assert len(encoder.batches) == 1
    assert np.array_equal(first, second)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1.0


def test_half_a_surrogate_pair_is_no_crash(folder, encoder):
    make(folder).embed_query("\ud83d text")
    assert encoder.batches == [["q:? text"]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_a_vector_without_direction_is_an_error(folder, encoder, bad):
    encoder.encode = lambda texts: np.full((len(texts), DIMENSION), bad)
    with pytest.raises(ModelError, match="without a direction"):
        make(folder).embed_documents([""], ["x"])


def test_a_folder_without_a_model_names_the_command(tmp_path):
    with pytest.raises(ModelMissingError, match="mingbai models pull fake"):
        make(tmp_path)
    with pytest.raises(ModelMissingError, match="mingbai models pull fake"):
        make(tmp_path / "nowhere")


def test_threads_share_one_loading(folder, monkeypatch):
    loads = []
    started = threading.Barrier(4)

    def load(*_):
        loads.append(1)
        return FakeEncoder(), 0

    monkeypatch.setattr(module, "_load", load)
    embedder = make(folder)

    def ask(number):
        started.wait()
        embedder.embed_query(f"question {number}")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == [1]


@given(st.lists(st.integers(1, 100), max_size=40), st.integers(0, 300))
def test_batches_hold_every_row_once_and_keep_the_budget(counts, budget):
    found = list(batches(counts, budget))
    assert sorted(row for batch in found for row in batch) == list(range(len(counts)))
    widths = [max(counts[row] for row in batch) for batch in found]
    assert widths == sorted(widths, reverse=True)
    assert all(len(batch) == 1 or len(batch) * width <= budget for batch, width in zip(found, widths, strict=True))


def test_batches_fill_the_budget():
    assert list(batches([5, 10, 5, 4], 20)) == [[1, 0], [2, 3]]
    assert list(batches([5, 5], 0)) == [[0], [1]]


def test_importing_the_module_is_cheap():
    code = (
        "import sys, rag.embedder; print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- with the real weights ---------------------------------------------------------------------------------------

GEMMA = "embeddinggemma-300m"
TEXTS = [
    "批量归一化在训练时使用当前批次的均值和方差，在推理时使用滑动平均。",
    "Dropout randomly zeroes activations while training.",
    "",
    "x",
    "殘差連接讓梯度更容易流過很深的網絡。",
    "注意力把每个位置和所有位置比较。" * 60,
]


@pytest.fixture(scope="module")
def gemma_folder():
    folder = model_store.root() / GEMMA
    if not (folder / "model.safetensors").exists():
        pytest.skip(f"{GEMMA} is not on this machine; run: mingbai models pull {GEMMA}")
    return folder


def open_gemma(folder):
    return SentenceTransformerEmbedder(
        folder,
        model_id=GEMMA,
        model_hash="0" * 64,
        query_prompt="task: search result | query: {text}",
        document_template="title: {title} | text: {text}",
    )


@pytest.fixture(scope="module")
def gemma(gemma_folder):
    return open_gemma(gemma_folder)


@pytest.fixture(scope="module")
def library_vectors(gemma_folder):
    """What sentence-transformers itself gives, in float32 and with its own prompts."""
    import torch

    from rag.torch_runtime import quiet_loading

    with quiet_loading():
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(gemma_folder), device="cpu", local_files_only=True)
    with torch.inference_mode():
        return model.encode_document(TEXTS, batch_size=1), model.encode_query("为什么要用残差连接？")


@pytest.mark.model
def test_gemma_gives_the_vectors_of_the_library(gemma, library_vectors):
    documents, query = library_vectors
    cosines = (gemma.embed_documents([""] * len(TEXTS), TEXTS) * documents).sum(axis=1)
    assert cosines.min() >= 0.9995
    assert gemma.embed_query("为什么要用残差连接？") @ query >= 0.9995


@pytest.mark.model
def test_gemma_tokens_are_those_of_the_library(gemma_folder, gemma):
    from tokenizers import Tokenizer

    reference = Tokenizer.from_file(str(gemma_folder / "tokenizer.json"))
    encoder = gemma._loaded()
    for text in [*TEXTS, "Tab\there\n\n\n  ﬁ １２３ 😀 <b>x</b> $E=mc^2$ `a_b`\u3000全角\r\n\x00"]:
        ids = [encoder._tokenizer.bos_id(), *encoder._tokenizer.encode(text), encoder._tokenizer.eos_id()]
        assert ids == reference.encode(text).ids


@pytest.mark.model
def test_a_vector_does_not_depend_on_its_neighbours(gemma):
    together = gemma.embed_documents([""] * len(TEXTS), TEXTS)
    alone = np.concatenate([gemma.embed_documents([""], [text]) for text in reversed(TEXTS)])[::-1]
    assert np.array_equal(together, alone)


@pytest.mark.model
def test_padding_changes_nothing_but_rounding(gemma_folder):
    """As on a GPU: texts of other lengths in one batch, some of them longer than the local window."""
    import torch

    from rag.embedding_gemma import GemmaEncoder

    encoder = GemmaEncoder(gemma_folder, device=torch.device("cpu"), dtype=torch.float32)
    padded = encoder.encode(TEXTS[-3:])
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS[-3:]])
    assert encoder.count_tokens(TEXTS[-1]) > 512
    assert np.allclose(padded, alone, rtol=1e-3, atol=1e-3 * np.abs(alone).max())


@pytest.mark.model
def test_what_is_too_long_is_cut_and_counted(gemma_folder):
    embedder = open_gemma(gemma_folder)
    vectors = embedder.embed_documents(["", ""], ["层归一化。" * 3000, "层归一化。"])
    assert embedder.truncated == 1
    assert np.isfinite(vectors).all()


@pytest.mark.model
def test_a_question_finds_its_passage(gemma):
    passages = [TEXTS[0], TEXTS[1], TEXTS[4]]
    vectors = gemma.embed_documents(["批量归一化", "Dropout", "殘差"], passages)
    assert int(np.argmax(vectors @ gemma.embed_query("推理时 BatchNorm 用什么统计量？"))) == 0
    assert int(np.argmax(vectors @ gemma.embed_query("为什么深网络要用残差连接？"))) == 2


@pytest.mark.model
def test_nothing_is_printed_and_no_connection_is_tried(gemma_folder, monkeypatch, capfd):
    def refuse(*_):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    open_gemma(gemma_folder).embed_query("离线")
    assert capfd.readouterr() == ("", "")


@pytest.mark.model
@pytest.mark.slow
def test_the_library_path_gives_the_same_vectors(gemma_folder, gemma, monkeypatch, capfd):
    """Every model but EmbeddingGemma goes this way."""
    from rag import embedding_gemma

    monkeypatch.setattr(embedding_gemma, "fits", lambda _: False)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was tried"))
    embedder = open_gemma(gemma_folder)
    vectors = embedder.embed_documents([""] * len(TEXTS), TEXTS)
    assert (vectors * gemma.embed_documents([""] * len(TEXTS), TEXTS)).sum(axis=1).min() >= 0.99
    assert capfd.readouterr() == ("", "")
    embedder.embed_query("长" * 4000)
    assert embedder.truncated == 1


@pytest.mark.model
def test_broken_weights_name_the_command(gemma_folder, tmp_path):
    for path in gemma_folder.rglob("*"):
        if path.is_file():
            (tmp_path / path.relative_to(gemma_folder)).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path.relative_to(gemma_folder)).symlink_to(path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")
    with pytest.raises(ModelError, match=f"mingbai models verify {GEMMA}"):
        open_gemma(tmp_path).load()
