"""Chat through either dialect: callers see no difference."""

import asyncio
import json

import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from conftest import KEY, URL

HI = [{"role": "user", "content": "Hi"}]
SAID = 'You said "Hi", and that is what I heard.'

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}
# One pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="


def test_a_whole_answer(client, path):
    answer = client.chat.completions.create(model=path.model, messages=HI)
    assert answer.object == "chat.completion"
    assert answer.model == path.model
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content == SAID
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer._request_id


def test_a_stream(client, path):
    chunks = list(client.chat.completions.create(model=path.model, messages=HI, stream=True))
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.object == "chat.completion.chunk" and chunk.usage is None for chunk in chunks)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SAID
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]


def test_a_stream_that_tells_its_usage(client, path):
    chunks = list(
        client.chat.completions.create(
            model=path.model, messages=HI, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert all(chunk.usage is None for chunk in chunks[:-1])
    whole = client.chat.completions.create(model=path.model, messages=HI)
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens


def test_a_stream_that_is_left_early(client, path):
    with client.chat.completions.create(model=path.model, messages=HI, stream=True) as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
    # The connection that was given up does not harm the next request.
    assert client.chat.completions.create(model=path.model, messages=HI).choices[0].message.content == SAID


def test_many_at_once(path):
    async def all_of_them():
        async with AsyncOpenAI(base_url=URL, api_key=KEY) as client:

            async def ask(number):
                messages = [{"role": "user", "content": f"number {number}"}]
                stream = await client.chat.completions.create(model=path.model, messages=messages, stream=True)
                said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
                assert f'"number {number}"' in said

            await asyncio.gather(*[ask(number) for number in range(32)])

    asyncio.run(all_of_them())


def test_a_tool_is_called_and_its_result_is_heard(client, path):
    messages = [{"role": "user", "content": "What will the weather be?"}]
    answer = client.chat.completions.create(model=path.model, messages=messages, tools=[WEATHER])
    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = message.tool_calls
    assert (call.type, call.function.name) == ("function", "weather")
    arguments = json.loads(call.function.arguments)
    assert isinstance(arguments["city"], str) and isinstance(arguments["days"], int)

    # The SDK's own object goes back, as its documentation shows.
    messages += [message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    answer = client.chat.completions.create(model=path.model, messages=messages, tools=[WEATHER])
    assert answer.choices[0].message.content == 'The tool said "rain", and that is what I heard.'
    assert answer.choices[0].finish_reason == "stop"


def test_a_tool_call_is_streamed_in_fragments(client, path):
    chunks = client.chat.completions.create(
        model=path.model, messages=[{"role": "user", "content": "The weather?"}], tools=[WEATHER], stream=True
    )
    deltas, ended = [], None
    for chunk in chunks:
        deltas += chunk.choices[0].delta.tool_calls or []
        ended = chunk.choices[0].finish_reason or ended
    assert ended == "tool_calls"
    assert len(deltas) > 2
    assert {delta.index for delta in deltas} == {0}
    assert deltas[0].id and deltas[0].function.name == "weather"
    assert all(delta.id is None and delta.function.name is None for delta in deltas[1:])
    arguments = json.loads("".join(delta.function.arguments or "" for delta in deltas))
    assert set(arguments) == {"city", "days"}


def test_two_tool_calls_at_once_by_the_streaming_helper(client, path):
    with client.chat.completions.stream(
        model=f"{path.model}-parallel", messages=[{"role": "user", "content": "The weather?"}], tools=[WEATHER]
    ) as stream:
        for _ in stream:
            pass
        message = stream.get_final_completion().choices[0].message
    assert [call.function.name for call in message.tool_calls] == ["weather", "weather"]
    assert len({call.id for call in message.tool_calls}) == 2
    for call in message.tool_calls:
        assert set(json.loads(call.function.arguments)) == {"city", "days"}
    results = [{"role": "tool", "tool_call_id": call.id, "content": "snow"} for call in message.tool_calls]
    answer = client.chat.completions.create(
        model=path.model,
        messages=[{"role": "user", "content": "The weather?"}, message.to_dict(), *results],
        tools=[WEATHER],
    )
    assert "snow" in answer.choices[0].message.content


def test_a_named_tool_is_called(client, path):
    other = {"type": "function", "function": {"name": "other", "parameters": {"type": "object", "properties": {}}}}
    answer = client.chat.completions.create(
        model=path.model,
        messages=HI,
        tools=[other, WEATHER],
        tool_choice={"type": "function", "function": {"name": "weather"}},
    )
    assert [call.function.name for call in answer.choices[0].message.tool_calls] == ["weather"]


@pytest.mark.parametrize("url", [f"data:image/png;base64,{PNG}", "https://example.com/one.png"])
def test_an_image_is_shown(client, path, simulator, url):
    words = f"What is this, {path.model}, at {url[:5]}?"
    content = [{"type": "text", "text": words}, {"type": "image_url", "image_url": {"url": url}}]
    answer = client.chat.completions.create(model=path.model, messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content == f'You said "{words}" and showed 1 image, and that is what I heard.'
    shown = [body for body in simulator.asked(path.model) if words in json.dumps(body)][-1]["messages"][-1]["content"][1]
    if path.upstream == "openai":
        assert shown["image_url"]["url"] == url
    elif url.startswith("data:"):
        assert shown["source"] == {"type": "base64", "media_type": "image/png", "data": PNG}
    else:
        assert shown["source"] == {"type": "url", "url": url}


def test_thinking_shows_as_reasoning_content(client, path):
    model = f"{path.model}-thinking"
    thought = "The question is clear, so a short answer will do."
    message = client.chat.completions.create(model=model, messages=HI).choices[0].message
    assert message.reasoning_content == thought
    assert message.content == SAID
    thoughts, said = "", ""
    for chunk in client.chat.completions.create(model=model, messages=HI, stream=True):
        thoughts += getattr(chunk.choices[0].delta, "reasoning_content", None) or ""
        said += chunk.choices[0].delta.content or ""
    assert (thoughts, said) == (thought, SAID)


def test_an_answer_is_parsed_into_a_class(client, path):
    class City(BaseModel):
        name: str
        inhabitants: int

    answer = client.chat.completions.parse(model=path.model, messages=HI, response_format=City)
    assert isinstance(answer.choices[0].message.parsed, City)


def test_what_ends_an_answer_is_told(client, path):
    short = client.chat.completions.create(model=path.model, messages=HI, max_completion_tokens=2)
    assert short.choices[0].finish_reason == "length"
    assert short.usage.completion_tokens == 2
    stopped = client.chat.completions.create(model=path.model, messages=HI, stop=[" that"])
    assert stopped.choices[0].finish_reason == "stop"
    assert stopped.choices[0].message.content == 'You said "Hi", and'


def test_a_provider_of_another_dialect_answers_for_one_name(client):
    # Its first target that is there speaks Anthropic.
    answer = client.chat.completions.create(model="assistant", messages=HI)
    assert (answer.model, answer.choices[0].message.content) == ("claude-sonnet-4-5", SAID)
