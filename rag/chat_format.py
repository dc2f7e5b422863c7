"""From messages to the text a model was trained on, with what people wrote kept apart from the frame.

Only the frame may be tokenised with control tokens. A note that contains ``<|im_end|>`` stays text.
Adapter of jinja2, for models whose template is not ChatML; such a template comes from a file whose
hash is allowed, and still runs in an immutable sandbox.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.errors import EngineError
from rag.types import Message, Role

# Private-use characters that stand for a message while a foreign template is rendered.
_SLOT = re.compile("\ue000(\\d+)\ue001")
# Qwen3's way to say "answer without thinking aloud", as its own template writes it.
_NO_THINKING = "<think>\n\n</think>\n\n"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a prompt. Control tokens are recognised only where ``is_frame``."""

    text: str
    is_frame: bool


def render(messages: Sequence[Message], template: str, eos: str = "") -> list[Segment]:
    """The prompt as segments. A last message of the assistant is left open, to be continued.

    ``eos`` is the text of the model's end token for templates that write it; the begin token is the tokenizer's affair.

    Raises:
        EngineError: no messages, no template, or a template that cannot hold these messages.
    """
    if not messages:
        raise EngineError("There are no messages to answer. Give at least one user message.")
    if not template:
        raise EngineError("The model file has no chat template. Choose an instruct model: mingbai models list")
    opened = messages[-1].text if messages[-1].role is Role.ASSISTANT else ""
    closed = messages[:-1] if messages[-1].role is Role.ASSISTANT else messages
    is_chatml = "<|im_start|>" in template and "<|im_end|>" in template
    segments = _chatml(closed) if is_chatml else _foreign(closed, template, eos)
    if is_chatml and "enable_thinking" in template:
        segments.append(Segment(_NO_THINKING, is_frame=True))
    segments.append(Segment(opened, is_frame=False))
    return [segment for segment in segments if segment.text]


def _chatml(messages: Sequence[Message]) -> list[Segment]:
    segments = []
    for message in messages:
        segments.append(Segment(f"<|im_start|>{message.role.value}\n", is_frame=True))
        segments.append(Segment(message.text, is_frame=False))
        segments.append(Segment("<|im_end|>\n", is_frame=True))
    segments.append(Segment("<|im_start|>assistant\n", is_frame=True))
    return segments


def _foreign(messages: Sequence[Message], template: str, eos: str) -> list[Segment]:
    """Render the template over numbered slots, then cut at the slots: contents never meet the template."""
    slots = [{"role": message.role.value, "content": f"\ue000{i}\ue001"} for i, message in enumerate(messages)]
    parts = _SLOT.split(_render_sandboxed(template, slots, eos))
    found = [int(number) for number in parts[1::2]]
    if found != list(range(len(messages))):
        raise EngineError(
            f"The chat template of the model shows messages {found} of {len(messages)}. Choose another model."
        )
    segments = [Segment(parts[0], is_frame=True)]
    for number, frame in zip(found, parts[2::2], strict=True):
        segments += [Segment(messages[number].text, is_frame=False), Segment(frame, is_frame=True)]
    return segments


def _render_sandboxed(template: str, slots: list[dict[str, str]], eos: str) -> str:
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(reason: str) -> None:
        raise TemplateError(reason)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    try:
        return environment.from_string(template).render(
            messages=slots, add_generation_prompt=True, raise_exception=refuse, bos_token="", eos_token=eos
        )
    except (TemplateError, TypeError, ValueError) as error:
        raise EngineError(f"The chat template of the model failed: {error}. Choose another model.") from error
