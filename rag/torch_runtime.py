"""What every torch model needs: where to compute, in which type, and quiet while it loads."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def pick_device() -> torch.device:
    """The first CUDA device, else the CPU with all cores that this process may use."""
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_type(device: torch.device) -> torch.dtype:
    """The bfloat16 type where the hardware multiplies it, else float32; never float16, in which Gemma overflows."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = torch.cpu.get_capabilities()
        fast = bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return torch.bfloat16 if fast else torch.float32


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Keep transformers from drawing bars and from announcing its own changes while a model is loaded."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|sentence_transformers|torch")
        from transformers.utils import logging

        has_bars = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            if has_bars:
                logging.enable_progress_bar()  # type: ignore[no-untyped-call]
