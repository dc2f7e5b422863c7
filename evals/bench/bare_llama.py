"""llama.cpp without us: a child process that reads prompts as token ids and says how long they took.

The yardstick of the engine rows, run as ``python bare_llama.py MODEL OPTIONS``. Kept as plain as a loop can be, with
the settings of its caller, and apart, so that a setting that crashes the library ends this process only.
"""

import json
import sys
import time

import llama_cpp.llama_cpp as llama


def main() -> None:
    """Load, say so, then answer one JSON line with one JSON line."""
    path, options = sys.argv[1], json.loads(sys.argv[2])
    llama.llama_log_set(_quiet, None)
    llama.llama_backend_init()
    chosen = llama.llama_model_default_params()
    chosen.use_extra_bufts = options["repack"]
    chosen.n_gpu_layers = options.get("gpu_layers", 0)
    model = llama.llama_model_load_from_file(path.encode(), chosen)
    settings = llama.llama_context_default_params()
    settings.n_ctx, settings.n_batch, settings.n_ubatch = 4096, options["batch"], options["batch"]
    settings.n_threads = settings.n_threads_batch = options["threads"]
    settings.flash_attn_type = 1
    context = llama.llama_init_from_model(model, settings)
    vocabulary = llama.llama_model_get_vocab(model)
    size = llama.llama_vocab_n_tokens(vocabulary)
    say({"ready": True})
    for line in sys.stdin:
        asked = json.loads(line)
        say(answer(context, size, asked["tokens"], asked["decode"], options["batch"]))


def answer(context: object, size: int, tokens: list[int], count: int, rows: int) -> dict[str, object]:
    """Read the prompt from nothing, then decode greedily; seconds of both."""
    llama.llama_memory_clear(llama.llama_get_memory(context), False)
    started = time.perf_counter()
    for start in range(0, len(tokens), rows):
        evaluate(context, tokens[start : start + rows])
    token = best(context, size)
    read = time.perf_counter()
    said = [token]
    for _ in range(count - 1):
        evaluate(context, [token])
        token = best(context, size)
        said.append(token)
    return {"prefill": read - started, "decode": time.perf_counter() - read, "tokens": said}


def evaluate(context: object, tokens: list[int]) -> None:
    """One call of the library."""
    held = (llama.llama_token * len(tokens))(*tokens)  # the batch only points to it
    if llama.llama_decode(context, llama.llama_batch_get_one(held, len(tokens))):
        raise RuntimeError("llama_decode failed")


def best(context: object, size: int) -> int:
    """The most likely token."""
    import numpy as np

    return int(np.ctypeslib.as_array(llama.llama_get_logits_ith(context, -1), (size,)).argmax())


def say(values: dict[str, object]) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


@llama.llama_log_callback  # type: ignore[untyped-decorator]
def _quiet(_level: int, _text: bytes, _context: object) -> None:
    """llama.cpp writes its settings to stderr otherwise."""


if __name__ == "__main__":
    main()
