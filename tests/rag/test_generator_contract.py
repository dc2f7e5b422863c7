"""What every Generator does alike."""

import threading

import pytest

from rag.endpoint import EndpointGenerator
from rag.errors import EngineError, PromptTooLongError
from rag.protocols import GenerationRequest, Generator
from rag.settings import EndpointSettings
from rag.types import Message, Role

ASK = (Message(Role.SYSTEM, "你是助手。"), Message(Role.USER, "用一句话说说天空。"))


@pytest.fixture(params=["fake", "endpoint", pytest.param("llama", marks=pytest.mark.model)])
def generator(request) -> Generator:
    if request.param == "llama":
        return request.getfixturevalue("small_engine")
    if request.param == "fake":
        return request.getfixturevalue("fake_generator")("天空是蓝色的。" * 20, context_size=2048)
    server = request.getfixturevalue("chat_server")
    server.text = "".join(f"天空{i}。" for i in range(60))
    server.seconds_per_piece = 0.005
    return EndpointGenerator(EndpointSettings(url=server.url, context_size=2048))


def test_pieces_join_to_the_text_of_the_result(generator):
    stream = generator.generate(GenerationRequest(ASK, max_tokens=24))
    pieces = list(stream)
    result = stream.result
    assert "".join(pieces) == result.text != ""
    assert len(pieces) > 1
    assert result.finish in {"stop", "length"}
    assert 0 < result.completion_tokens <= 24
    assert result.prompt_tokens > 0
    assert min(result.queued, result.prefill, result.decode) >= 0


def test_max_tokens_ends_with_length(generator):
    stream = generator.generate(GenerationRequest(ASK, max_tokens=3))
    assert "".join(stream)
    assert (stream.result.finish, stream.result.completion_tokens) == ("length", 3)


def test_equal_requests_give_equal_texts(generator):
    first, second = ("".join(generator.generate(GenerationRequest(ASK, max_tokens=16))) for _ in range(2))
    assert first == second


def test_a_stream_that_is_cancelled_in_the_middle_ends(generator):
    stream = generator.generate(GenerationRequest(ASK, max_tokens=1500))
    pieces = []
    for piece in stream:
        pieces.append(piece)
        stream.cancel()
        stream.cancel()
    assert stream.result.finish == "cancelled"
    assert stream.result.text == "".join(pieces)
    assert "".join(generator.generate(GenerationRequest(ASK, max_tokens=3)))


def test_the_cancel_event_of_the_caller_counts(generator):
    event = threading.Event()
    stream = generator.generate(GenerationRequest(ASK, max_tokens=1500), event)
    for _ in stream:
        event.set()
    assert stream.result.finish == "cancelled"


def test_leaving_the_iteration_cancels(generator):
    stream = generator.generate(GenerationRequest(ASK, max_tokens=1500))
    for _ in stream:
        break
    # The next request would wait for hundreds of tokens otherwise.
    assert "".join(generator.generate(GenerationRequest(ASK, max_tokens=3)))
    assert stream.result.finish == "cancelled"


def test_a_prompt_that_does_not_fit_is_refused_before_any_work(generator):
    long = (Message(Role.USER, "天空很蓝。" * 1000),)
    with pytest.raises(PromptTooLongError, match="2048"):
        generator.generate(GenerationRequest(long, max_tokens=10))
    with pytest.raises(PromptTooLongError, match=str(generator.context_size)):
        generator.generate(GenerationRequest(ASK, max_tokens=generator.context_size))
    with pytest.raises(PromptTooLongError):
        generator.choose(long, ["是", "否"])


def test_choices_are_probabilities(generator):
    chances = generator.choose((Message(Role.USER, "天空是蓝色的吗？只回答是或否。"),), ["是", "否"])
    assert len(chances) == 2
    assert sum(chances) == pytest.approx(1)
    assert min(chances) >= 0


def test_options_must_differ_at_their_beginning(generator):
    with pytest.raises(EngineError):
        generator.choose(ASK, ["是", "是"])


def test_tokens_are_counted(generator):
    assert generator.count_tokens("") == 0
    assert 1 <= generator.count_tokens("天空") < generator.count_tokens("天空是蓝色的，而且很高很远。")


def test_it_has_a_name(generator):
    assert generator.model_id
    assert generator.model_hash


@pytest.mark.parametrize("generator", ["fake", "endpoint"], indirect=True)
def test_close_can_be_repeated_and_is_final(generator):
    generator.close()
    generator.close()
    with pytest.raises(EngineError, match="closed"):
        generator.generate(GenerationRequest(ASK, max_tokens=3))
    with pytest.raises(EngineError, match="closed"):
        generator.choose(ASK, ["是", "否"])
