"""A GGUF model of two layers with random weights, written in a moment: real llama.cpp at thousands of tokens a second.

What it says means nothing, but it says the same to the same prompt and something else to another one. Tests of queues,
caches, cancelling and crashes need no more. One byte of text is one token.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

WIDTH, LAYERS, HEADS, INNER = 64, 2, 2, 128
CONTEXT = 8192
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)
_CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_UINT32, _FLOAT32, _STRING, _ARRAY, _INT32 = 4, 6, 8, 9, 5
_F32 = 0
_ALIGNMENT = 32


def write(path: Path, seed: int = 0) -> Path:
    """Write the model; equal seeds give equal files."""
    tensors = _tensors(np.random.default_rng(seed))
    pairs = _metadata()
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(pairs))
    head += b"".join(_text(key) + value for key, value in pairs.items())
    offset = 0
    for name, values in tensors.items():
        shape = values.shape[::-1]
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, _F32, offset)
        offset += -(-values.nbytes // _ALIGNMENT) * _ALIGNMENT
    body = b"".join(_padded(values.tobytes()) for values in tensors.values())
    path.write_bytes(_padded(head) + body)
    return path


def _vocabulary() -> list[str]:
    """The 256 bytes as GPT-2 writes them, one merge that needs to be there, and the control tokens."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [*(chr(byte if byte in printable else next(others)) for byte in range(256)), "qz", *_CONTROL]


def _metadata() -> dict[str, bytes]:
    tokens = _vocabulary()
    kinds = [3 if token in _CONTROL else 1 for token in tokens]
    numbers = {
        "context_length": CONTEXT,
        "embedding_length": WIDTH,
        "block_count": LAYERS,
        "feed_forward_length": INNER,
        "attention.head_count": HEADS,
        "attention.head_count_kv": HEADS,
    }
    end = _integer(tokens.index("<|im_end|>"))
    return {
        "general.architecture": _string("qwen2"),
        **{f"qwen2.{name}": _integer(number) for name, number in numbers.items()},
        "qwen2.attention.layer_norm_rms_epsilon": struct.pack("<If", _FLOAT32, 1e-6),
        "qwen2.rope.freq_base": struct.pack("<If", _FLOAT32, 10_000.0),
        "tokenizer.ggml.model": _string("gpt2"),
        "tokenizer.ggml.pre": _string("qwen2"),
        "tokenizer.ggml.tokens": _strings(tokens),
        "tokenizer.ggml.token_type": struct.pack(f"<IIQ{len(kinds)}i", _ARRAY, _INT32, len(kinds), *kinds),
        "tokenizer.ggml.merges": _strings(["q z"]),
        "tokenizer.ggml.eos_token_id": end,
        "tokenizer.ggml.padding_token_id": end,
        "tokenizer.chat_template": _string(TEMPLATE),
    }


def _tensors(rng: np.random.Generator) -> dict[str, np.ndarray]:
    def matrix(rows: int, columns: int) -> np.ndarray:
        return (rng.standard_normal((rows, columns)) / columns**0.5).astype(np.float32)

    ones, zeros = np.ones(WIDTH, dtype=np.float32), np.zeros(WIDTH, dtype=np.float32)
    # Rows of the output that the ends of an answer have are small, so that it rarely ends by itself.
    tensors = {"token_embd.weight": matrix(len(_vocabulary()), WIDTH), "output_norm.weight": ones}
    output = 3 * matrix(len(_vocabulary()), WIDTH)
    output[-len(_CONTROL) :] *= 0.01
    tensors["output.weight"] = output
    for layer in range(LAYERS):
        at = f"blk.{layer}."
        tensors |= {f"{at}{name}_norm.weight": ones for name in ("attn", "ffn")}
        tensors |= {f"{at}attn_{name}.weight": 2 * matrix(WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
        tensors |= {f"{at}attn_{name}.bias": zeros for name in "qkv"}
        tensors |= {f"{at}ffn_{name}.weight": matrix(INNER, WIDTH) for name in ("gate", "up")}
        tensors[f"{at}ffn_down.weight"] = matrix(WIDTH, INNER)
    return tensors


def _padded(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % _ALIGNMENT)


def _text(text: str) -> bytes:
    raw = text.encode("utf-8")
    return struct.pack("<Q", len(raw)) + raw


def _string(text: str) -> bytes:
    return struct.pack("<I", _STRING) + _text(text)


def _strings(texts: Sequence[str]) -> bytes:
    return struct.pack("<IIQ", _ARRAY, _STRING, len(texts)) + b"".join(map(_text, texts))


def _integer(number: int) -> bytes:
    return struct.pack("<II", _UINT32, number)
