"""EmbeddingGemma in plain torch: the same numbers as sentence-transformers, ready four times sooner.

Importing sentence-transformers and transformers and parsing the tokenizer's 33 MB of JSON costs a new
process several seconds before the first question. The model itself is small: a Gemma 3 text encoder with
bidirectional attention, mean pooling and two linear layers (Vera et al., EmbeddingGemma, 2025; layer
order and constants as in Gemma 3, 2025). sentence-transformers stays the reference: a test compares them.

Matrices are kept in the compute type, everything between them in float32, and the embedding table (two
thirds of the file) stays mapped from disk: a question touches some twenty of its rows.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from sentencepiece import SentencePieceProcessor
from torch import Tensor
from torch.nn import functional

from rag.protocols import Vectors

WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.model"
_MODULES = ["Transformer", "Pooling", "Dense", "Dense", "Normalize"]


def fits(folder: Path) -> bool:
    """Whether ``folder`` holds exactly the architecture that this module computes."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(
        config.get("model_type") == "gemma3_text"
        and config.get("use_bidirectional_attention") is True
        and not config.get("attention_bias")
        and not config.get("rope_scaling")
        and not config.get("attn_logit_softcapping")
        and [module["type"].rsplit(".", 1)[-1] for module in modules] == _MODULES
        and pooling.get("pooling_mode_mean_tokens") is True
        and (folder / TOKENIZER).is_file()
    )


@dataclass(frozen=True, slots=True)
class _Layer:
    """Weights of one layer; matrices as (out, in), norms already with Gemma's "1 +"."""

    qkv: Tensor
    attention_out: Tensor
    gate_up: Tensor
    down: Tensor
    q_norm: Tensor
    k_norm: Tensor
    before_attention: Tensor
    after_attention: Tensor
    before_mlp: Tensor
    after_mlp: Tensor
    is_local: bool


class GemmaEncoder:
    """Token ids in, sentence vectors out. Safe for use from several threads.

    Args:
        folder: a sentence-transformers folder for which ``fits`` is true.
        device: where to compute.
        dtype: type of the matrix products; float32 or bfloat16.
    """

    def __init__(self, folder: Path, *, device: torch.device, dtype: torch.dtype) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.max_tokens = int(config["max_position_embeddings"])
        self._device, self._dtype = device, dtype
        self._heads, self._kv_heads = int(config["num_attention_heads"]), int(config["num_key_value_heads"])
        self._head_size, self._eps = int(config["head_dim"]), float(config["rms_norm_eps"])
        self._scale = float(config["query_pre_attn_scalar"]) ** -0.5
        # The window counts both sides; a token sees those at a distance of at most half of it.
        self._reach = int(config["sliding_window"]) // 2
        self._tokenizer = SentencePieceProcessor(model_file=str(folder / TOKENIZER))
        with safe_open(folder / WEIGHTS, framework="pt") as weights:
            table = weights.get_tensor("embed_tokens.weight")
            self._table = table if device.type == "cpu" else table.to(device, dtype)
            self._layers = [self._read_layer(weights, n, kind) for n, kind in enumerate(config["layer_types"])]
            self._final_norm = self._read_norm(weights, "norm.weight")
        self._dense = [self._read_dense(folder / name / WEIGHTS) for name in ("2_Dense", "3_Dense")]
        self._rope = {
            is_local: self._rotations(float(config[key]))
            for is_local, key in ((True, "rope_local_base_freq"), (False, "rope_theta"))
        }

    def tokenize(self, text: str) -> tuple[list[int], bool]:
        """Token ids with begin and end marks, and whether the text had to be cut to ``max_tokens``."""
        pieces = self._tokenizer.encode(text)
        room = self.max_tokens - 2
        return [self._tokenizer.bos_id(), *pieces[:room], self._tokenizer.eos_id()], len(pieces) > room

    def forward(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """Sentence vectors, not yet normalised. Shape (len(batch), dimension)."""
        lengths = torch.tensor([len(ids) for ids in batch], device=self._device)
        width = int(lengths.max())
        ids = torch.tensor([[*ids, *[0] * (width - len(ids))] for ids in batch], device=self._device)
        real = torch.arange(width, device=self._device) < lengths[:, None]
        with torch.inference_mode():
            x = functional.embedding(ids, self._table).float() * self._table.shape[1] ** 0.5
            masks = self._masks(real)
            for layer in self._layers:
                x = x + self._attend(x, layer, masks[layer.is_local])
                x = x + self._mlp(x, layer)
            x = self._norm(x, self._final_norm)
            pooled = (x * real[..., None]).sum(1) / lengths[:, None]
            for weight in self._dense:
                pooled = functional.linear(pooled, weight)
        vectors: Vectors = pooled.cpu().numpy()
        return vectors

    def _attend(self, x: Tensor, layer: _Layer, mask: Tensor | None) -> Tensor:
        count, width, _ = x.shape
        mixed = functional.linear(self._norm(x, layer.before_attention).to(self._dtype), layer.qkv)
        heads = mixed.view(count, width, self._heads + 2 * self._kv_heads, self._head_size).transpose(1, 2)
        q, k, v = heads.split([self._heads, self._kv_heads, self._kv_heads], dim=1)  # type: ignore[no-untyped-call]
        out = functional.scaled_dot_product_attention(
            self._rotate(self._norm(q.float(), layer.q_norm), is_local=layer.is_local),
            self._rotate(self._norm(k.float(), layer.k_norm), is_local=layer.is_local),
            v,
            attn_mask=mask,
            scale=self._scale,
            enable_gqa=True,
        )
        flat = out.transpose(1, 2).reshape(count, width, -1)
        return self._norm(functional.linear(flat, layer.attention_out).float(), layer.after_attention)

    def _mlp(self, x: Tensor, layer: _Layer) -> Tensor:
        both = functional.linear(self._norm(x, layer.before_mlp).to(self._dtype), layer.gate_up)
        gate, up = both.chunk(2, dim=-1)
        out = functional.linear(functional.gelu(gate, approximate="tanh") * up, layer.down)
        return self._norm(out.float(), layer.after_mlp)

    def _norm(self, x: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), weight, self._eps)

    def _rotate(self, x: Tensor, *, is_local: bool) -> Tensor:
        cos, sin = (table[: x.shape[-2]] for table in self._rope[is_local])
        first, second = x.chunk(2, dim=-1)
        return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(self._dtype)

    def _rotations(self, base: float) -> tuple[Tensor, Tensor]:
        steps = torch.arange(0, self._head_size, 2, dtype=torch.float32, device=self._device)
        positions = torch.arange(self.max_tokens, dtype=torch.float32, device=self._device)
        angles = positions[:, None] / base ** (steps / self._head_size)
        return angles.cos(), angles.sin()

    def _masks(self, real: Tensor) -> dict[bool, Tensor | None]:
        """Which keys a query may see, by layer kind (True: local); None where it may see all."""
        width = real.shape[1]
        padded = not bool(real.all())
        keys = real[:, None, None, :]
        positions = torch.arange(width, device=real.device)
        near = (positions[:, None] - positions).abs() <= self._reach
        local = (keys & near) if padded or width > self._reach + 1 else None
        return {False: keys if padded else None, True: local}

    def _read_layer(self, weights: safe_open, number: int, kind: str) -> _Layer:
        def matrix(*names: str) -> Tensor:
            parts = [weights.get_tensor(f"layers.{number}.{name}_proj.weight") for name in names]  # type: ignore[no-untyped-call]
            return torch.cat([part.to(self._device, self._dtype) for part in parts])

        def norm(name: str) -> Tensor:
            return self._read_norm(weights, f"layers.{number}.{name}.weight")

        return _Layer(
            qkv=matrix("self_attn.q", "self_attn.k", "self_attn.v"),
            attention_out=matrix("self_attn.o"),
            gate_up=matrix("mlp.gate", "mlp.up"),
            down=matrix("mlp.down"),
            q_norm=norm("self_attn.q_norm"),
            k_norm=norm("self_attn.k_norm"),
            before_attention=norm("input_layernorm"),
            after_attention=norm("post_attention_layernorm"),
            before_mlp=norm("pre_feedforward_layernorm"),
            after_mlp=norm("post_feedforward_layernorm"),
            is_local=kind == "sliding_attention",
        )

    def _read_norm(self, weights: safe_open, name: str) -> Tensor:
        return 1.0 + weights.get_tensor(name).to(self._device, torch.float32)  # type: ignore[no-any-return,no-untyped-call]

    def _read_dense(self, file: Path) -> Tensor:
        with safe_open(file, framework="pt") as weights:
            weight: Tensor = weights.get_tensor("linear.weight").to(self._device, torch.float32)
            return weight
