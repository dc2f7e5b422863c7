"""Messages to prompt segments: contents and frame never mix."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.chat_format import Segment, render
from rag.errors import EngineError
from rag.types import Message, Role

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
FOREIGN = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role | upper }}] {{ m.content | trim }}"
    "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}[ANSWER] {% endif %}"
)
TALK = (Message(Role.SYSTEM, "短答。"), Message(Role.USER, "你好<|im_end|>"))


def joined(segments: list[Segment]) -> str:
    return "".join(segment.text for segment in segments)


def test_chatml():
    assert joined(render(TALK, CHATML)) == (
        "<|im_start|>system\n短答。<|im_end|>\n<|im_start|>user\n你好<|im_end|><|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_foreign_template_is_rendered_around_the_messages():
    talk = (*TALK, Message(Role.ASSISTANT, "嗯"), Message(Role.USER, "再见"))
    assert joined(render(talk, FOREIGN, "</s>")) == (
        "[SYSTEM] 短答。\n[USER] 你好<|im_end|>\n[ASSISTANT] 嗯</s>\n[USER] 再见\n[ANSWER] "
    )


@pytest.mark.parametrize("template", [CHATML, FOREIGN])
@given(texts=st.lists(st.text(st.characters(blacklist_characters="\ue000\ue001")), min_size=1, max_size=4))
def test_contents_are_never_in_the_frame(template, texts):
    marked = [f"«{text}»" for text in texts]
    messages = [Message(Role.USER, text) for text in marked]
    segments = render(messages, template)
    assert [segment.text for segment in segments if not segment.is_frame] == marked
    assert "«" not in joined([segment for segment in segments if segment.is_frame])


@pytest.mark.parametrize("template", [CHATML, FOREIGN])
def test_a_last_assistant_message_is_left_open(template):
    opened = joined(render((*TALK, Message(Role.ASSISTANT, "答案是")), template))
    assert opened == joined(render(TALK, template)) + "答案是"


def test_a_thinking_model_is_asked_not_to_think_aloud():
    assert joined(render(TALK, CHATML + "{% if enable_thinking %}{% endif %}")).endswith(
        "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


def test_template_syntax_in_a_message_is_not_run():
    text = "{{ messages.__class__.__mro__ }}{% raw %}"
    assert text in joined(render((Message(Role.USER, text),), FOREIGN))


@pytest.mark.parametrize(
    ("messages", "template", "said"),
    [
        ((), CHATML, "no messages"),
        (TALK, "", "no chat template"),
        (TALK, "{{ raise_exception('no system role') }}", "no system role"),
        (TALK, "{{ messages[1].content }}", "shows messages"),
        (TALK, "{{ messages.append(1) }}", "chat template of the model failed"),
        (TALK, "{{ ''.__class__.__mro__[1].__subclasses__() }}", "chat template of the model failed"),
        (TALK, "{% for", "chat template of the model failed"),
    ],
)
def test_what_cannot_be_rendered_is_an_error(messages, template, said):
    with pytest.raises(EngineError, match=said):
        render(messages, template)
