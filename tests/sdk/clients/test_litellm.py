"""LiteLLM as a client: it takes the gateway for OpenAI, for Anthropic, for Gemini or for Cohere, by the model's prefix."""

import asyncio
import json

import litellm
import pytest

from conftest import HI, KEY, SAID, THOUGHT, URL, WEATHER, run

TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Tells it", "parameters": WEATHER}}]
# Where each of the APIs begins.
AS = {
    "openai": f"{URL}/v1",
    "anthropic": URL,
    "gemini": f"{URL}/v1beta",
}


@pytest.fixture(params=["openai", "anthropic"])
def way(request):
    """As whom LiteLLM takes the gateway."""
    return request.param


def ask(way, model, messages=HI, call=litellm.completion, **more):
    return call(model=f"{way}/{model}", messages=messages, api_base=AS[way], api_key=KEY, max_retries=0, **more)


def test_a_whole_answer(way, provider):
    answer = ask(way, provider)
    (choice,) = answer.choices
    assert (choice.message.content, choice.finish_reason) == (SAID, "stop")
    assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0


def test_a_stream(way, provider):
    chunks = list(ask(way, provider, stream=True, stream_options={"include_usage": True}))
    answer = litellm.stream_chunk_builder(chunks, messages=HI)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (SAID, "stop")
    whole = ask(way, provider)
    for count in ("prompt_tokens", "completion_tokens"):
        assert getattr(answer.usage, count) == getattr(whole.usage, count)


def test_many_at_once(way, provider):
    async def one(number):
        messages = [{"role": "user", "content": f"number {number}"}]
        chunks = await ask(way, provider, messages, call=litellm.acompletion, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

    async def all_of_them():
        return await asyncio.gather(*(one(number) for number in range(8)))

    for number, said in enumerate(run(all_of_them())):
        assert f'"number {number}"' in said


def test_a_tool_is_called_and_its_result_is_heard(way, provider):
    for stream in (False, True):
        messages = [{"role": "user", "content": "The weather?"}]
        first = ask(way, provider, messages, tools=TOOLS, stream=stream)
        if stream:
            first = litellm.stream_chunk_builder(list(first), messages=messages)
        (choice,) = first.choices
        (call,) = choice.message.tool_calls
        assert (choice.finish_reason, call.function.name) == ("tool_calls", "weather")
        assert set(json.loads(call.function.arguments)) == {"city", "days"}
        messages += [choice.message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
        second = ask(way, provider, messages, tools=TOOLS)
        assert "rain" in second.choices[0].message.content


def test_two_tools_are_called_at_once(way, provider):
    messages = [{"role": "user", "content": "The weather?"}]
    (choice,) = ask(way, f"{provider}-parallel", messages, tools=TOOLS).choices
    calls = choice.message.tool_calls
    assert [call.function.name for call in calls] == ["weather"] * 2
    assert len({call.id for call in calls}) == 2


def test_thoughts_are_told(way, provider):
    answer = ask(way, f"{provider}-thinking")
    assert answer.choices[0].message.reasoning_content == THOUGHT
    chunks = list(ask(way, f"{provider}-thinking", stream=True))
    thoughts = [getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in chunks]
    assert "".join(thoughts) == THOUGHT


def test_an_answer_follows_a_schema(provider):
    schema = {"type": "json_schema", "json_schema": {"name": "it", "schema": WEATHER, "strict": True}}
    answer = ask("openai", provider, response_format=schema)
    assert set(json.loads(answer.choices[0].message.content)) == {"city", "days"}


def test_as_gemini(provider):
    assert ask("gemini", provider).choices[0].message.content == SAID
    chunks = ask("gemini", provider, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SAID


@pytest.mark.parametrize(
    "fault, kind",
    [
        ("context-length", litellm.ContextWindowExceededError),
        ("invalid-request", litellm.BadRequestError),
        ("429", litellm.RateLimitError),
        ("503", litellm.ServiceUnavailableError),
    ],
)
def test_errors_are_litellms_own(way, provider, fault, kind):
    if (way, fault) == ("anthropic", "503"):
        # What LiteLLM makes of Anthropic's overloaded_error.
        kind = litellm.InternalServerError
    for stream in (False, True):
        with pytest.raises(kind) as raised:
            list(ask(way, f"{provider}-{fault}-litellm-{way}", stream=stream))
        assert type(raised.value) is kind, raised.value


def test_errors_of_the_gateway_itself(way):
    with pytest.raises(litellm.AuthenticationError):
        litellm.completion(model=f"{way}/openai", messages=HI, api_base=AS[way], api_key="nobody", max_retries=0)
    with pytest.raises(litellm.NotFoundError):
        ask(way, "nobody")


def test_a_stream_that_breaks_off_raises(way, provider):
    with pytest.raises(litellm.exceptions.MidStreamFallbackError):
        list(ask(way, f"{provider}-error-event-late-litellm-{way}", stream=True))


@pytest.mark.parametrize("model", ["embed-openai", "embed-cohere", "embed-gemini", "embed-bedrock"])
def test_embeddings(model):
    ask = dict(model=f"openai/{model}", input=["Hello"], api_base=AS["openai"], api_key=KEY, max_retries=0)
    (one,) = litellm.embedding(**ask, encoding_format="float").data
    (other,) = run(litellm.aembedding(**ask)).data
    assert len(one["embedding"]) == len(other["embedding"]) > 200
    assert all(abs(a - b) < 1e-6 for a, b in zip(one["embedding"], other["embedding"]))


@pytest.mark.parametrize("prefix, model", [("cohere", "rerank-cohere"), ("jina_ai", "rerank-jina")])
def test_documents_are_ranked(prefix, model):
    documents = ["Bread is baked.", "The capital of France is Paris."]
    ask = dict(model=f"{prefix}/{model}", query="What is the capital of France?", documents=documents)
    answer = litellm.rerank(**ask, top_n=1, return_documents=False, api_base=URL, api_key=KEY)
    assert [result["index"] for result in answer.results] == [1]
