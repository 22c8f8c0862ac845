"""OpenAI's SDK and its Responses API, whoever answers."""

import asyncio
import json

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from conftest import KEY, SAID, THOUGHT, URL, WEATHER, run

client = OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
TOOLS = [{"type": "function", "name": "weather", "description": "Tells it", "parameters": WEATHER, "strict": True}]


class Weather(BaseModel):
    city: str
    days: int


def test_a_text_is_answered(provider):
    answer = client.responses.create(model=provider, input="Hi", instructions="Be brief.")
    assert (answer.output_text, answer.status, answer.object) == (SAID, "completed", "response")
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


def test_events_come_in_order_and_fold_into_the_answer(provider):
    with client.responses.stream(model=provider, input="Hi") as events:
        kinds, numbers, said = [], [], ""
        for event in events:
            kinds.append(event.type)
            numbers.append(event.sequence_number)
            said += event.delta if event.type == "response.output_text.delta" else ""
        answer = events.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert numbers == sorted(set(numbers))
    assert said == answer.output_text == SAID


def test_many_at_once(provider):
    async def all_of_them():
        async with AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0) as by:
            ask = [by.responses.create(model=provider, input=f"number {number}") for number in range(16)]
            return await asyncio.gather(*ask)

    for number, answer in enumerate(run(all_of_them())):
        assert f'"number {number}"' in answer.output_text


def test_a_function_is_called_until_there_is_an_answer(provider):
    items = [{"role": "user", "content": "The weather?"}]
    answer, turns = None, 0
    while answer is None or any(item.type == "function_call" for item in answer.output):
        answer = client.responses.create(model=provider, input=items, tools=TOOLS, store=False)
        items += answer.output
        for call in answer.output:
            if call.type == "function_call":
                assert (call.name, set(json.loads(call.arguments))) == ("weather", {"city", "days"})
                items.append({"type": "function_call_output", "call_id": call.call_id, "output": "rain"})
        turns += 1
        assert turns < 5
    assert turns == 2 and "rain" in answer.output_text


def test_two_functions_are_called_at_once(provider):
    tools = [{**TOOLS[0], "strict": False}]
    with client.responses.stream(model=f"{provider}-parallel", input="The weather?", tools=tools) as events:
        answer = events.get_final_response()
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["weather"] * 2 and len({call.call_id for call in calls}) == 2


def test_an_answer_has_a_type(provider):
    answer = client.responses.parse(model=provider, input="Hi", text_format=Weather)
    assert isinstance(answer.output_parsed, Weather)


def test_a_call_has_a_type(provider):
    tool = openai.pydantic_function_tool(Weather)["function"]
    tool = {"type": "function", "name": tool["name"], "parameters": tool["parameters"], "strict": True}
    answer = client.responses.parse(model=provider, input="Hi", tools=[tool], tool_choice="required")
    (call,) = [item for item in answer.output if item.type == "function_call"]
    assert isinstance(call.parsed_arguments, dict | Weather)


def test_thoughts_are_told_and_go_back(provider):
    model = f"{provider}-thinking"
    first = client.responses.create(model=model, input="Hi", include=["reasoning.encrypted_content"], store=False)
    thoughts = [item for item in first.output if item.type == "reasoning"]
    told = [part.text for item in thoughts for part in [*item.summary, *(item.content or [])]]
    assert "".join(told) == THOUGHT
    items = [{"role": "user", "content": "Hi"}, *first.output, {"role": "user", "content": "Hi"}]
    assert client.responses.create(model=model, input=items, store=False).output_text == SAID


def test_what_only_openai_keeps_is_refused_by_name_elsewhere():
    first = client.responses.create(model="openai", input="Hi")
    second = client.responses.create(model="openai", input="Hi", previous_response_id=first.id)
    assert second.output_text == SAID and second.previous_response_id == first.id
    for provider in ("anthropic", "gemini", "bedrock"):
        for more in ({"previous_response_id": first.id}, {"conversation": "conv_1"}, {"background": True}):
            with pytest.raises(openai.BadRequestError) as refused:
                client.responses.create(model=provider, input="Hi", **more)
            assert [refused.value.param] == [*more]


@pytest.mark.parametrize(
    "fault, kind, status",
    [
        ("context-length", openai.BadRequestError, 400),
        ("429", openai.RateLimitError, 429),
        ("503", openai.InternalServerError, 503),
    ],
)
def test_errors_are_openais(provider, fault, kind, status):
    for stream in (False, True):
        with pytest.raises(kind) as raised:
            client.responses.create(model=f"{provider}-{fault}-responses", input="Hi", stream=stream)
        assert raised.value.status_code == status


def test_a_stream_that_breaks_off_says_so(provider):
    model = f"{provider}-error-event-late-responses"
    stream = client.responses.create(model=model, input="Hi", stream=True)
    if provider == "openai":
        # OpenAI's own event passes, which its SDK leaves to whoever reads the stream.
        last = list(stream)[-1]
        assert (last.type, last.response.status, last.response.error.code) == ("response.failed", "failed", "server_error")
        return
    with pytest.raises(openai.APIError):
        list(stream)
