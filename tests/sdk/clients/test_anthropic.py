"""Anthropic's SDK: its streaming helper, tool runner, token counts and models, whoever answers."""

import asyncio

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic
from pydantic import BaseModel

from conftest import HI, KEY, SAID, URL, WEATHER, asked, run

client = Anthropic(base_url=URL, api_key=KEY, max_retries=0)
TOOLS = [{"name": "weather", "description": "Tells it", "input_schema": WEATHER}]


class Weather(BaseModel):
    city: str
    days: int


def test_the_helper_sees_every_event(provider):
    kinds, text = [], ""
    with client.messages.stream(model=provider, max_tokens=100, messages=HI) as stream:
        for event in stream:
            kinds.append(event.type)
            text += event.text if event.type == "text" else ""
        answer = stream.get_final_message()
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
    for one in ("content_block_start", "content_block_delta", "content_block_stop", "message_delta"):
        assert one in kinds
    assert text == answer.content[0].text == SAID and answer.stop_reason == "end_turn"


def test_the_helper_gives_text_alone(provider):
    with client.messages.stream(model=provider, max_tokens=100, messages=HI) as stream:
        assert "".join(stream.text_stream) == SAID


def test_the_input_of_a_tool_is_streamed(provider):
    inputs = []
    messages = [{"role": "user", "content": "The weather?"}]
    with client.messages.stream(model=provider, max_tokens=100, messages=messages, tools=TOOLS) as stream:
        for event in stream:
            if event.type == "input_json":
                inputs.append(event.partial_json)
        answer = stream.get_final_message()
    (call,) = [block for block in answer.content if block.type == "tool_use"]
    assert "".join(inputs).strip().startswith("{") and set(call.input) == {"city", "days"}
    assert answer.stop_reason == "tool_use"


def test_tools_are_run_by_the_sdk(provider):
    calls = []

    @anthropic.beta_tool
    def weather(city: str, days: int) -> str:
        """Tells it.

        Args:
            city: Where.
            days: For how long.
        """
        calls.append((city, days))
        return "hail"

    messages = [{"role": "user", "content": "The weather?"}]
    runner = client.beta.messages.tool_runner(model=provider, max_tokens=100, messages=messages, tools=[weather])
    answer = runner.until_done()
    assert len(calls) == 1 and "hail" in answer.content[-1].text


def test_an_answer_has_a_type(provider):
    answer = client.messages.parse(model=provider, max_tokens=100, messages=HI, output_format=Weather)
    assert isinstance(answer.parsed_output, Weather)


def test_many_at_once(provider):
    async def one(by, number):
        messages = [{"role": "user", "content": f"number {number}"}]
        async with by.messages.stream(model=provider, max_tokens=100, messages=messages) as stream:
            return await stream.get_final_text()

    async def all_of_them():
        async with AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0) as by:
            return await asyncio.gather(*(one(by, number) for number in range(16)))

    for number, said in enumerate(run(all_of_them())):
        assert f'"number {number}"' in said


def test_tokens_are_counted_by_the_provider(provider):
    asked = dict(model=provider, messages=HI, system="Be brief.")
    counted = client.messages.count_tokens(**asked).input_tokens
    assert counted == client.messages.create(max_tokens=100, **asked).usage.input_tokens


@pytest.mark.parametrize("model", ["embed-mistral", "rerank-cohere"])
def test_tokens_are_not_counted_where_the_provider_counts_none(model):
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.messages.count_tokens(model=model, messages=HI)
    assert refused.value.body["error"]["code"] == "endpoint_not_supported"


def test_features_are_turned_on_by_name_at_anthropic():
    beta = "context-1m-2025-08-07"
    client.beta.messages.create(model="anthropic", max_tokens=100, messages=HI, betas=[beta])
    headers = dict(asked("/v1/messages")[-1]["headers"])
    assert headers["anthropic-beta"] == beta and "x-api-key" not in headers


@pytest.mark.parametrize(
    "fault, kind, status",
    [
        ("context-length", anthropic.BadRequestError, 400),
        ("429", anthropic.RateLimitError, 429),
        ("503", anthropic.InternalServerError, 503),
    ],
)
def test_errors_are_anthropics(provider, fault, kind, status):
    for ask in (client.messages.create, lambda **asked: client.messages.create(**asked, stream=True)):
        with pytest.raises(kind) as raised:
            ask(model=f"{provider}-{fault}-anthropic", max_tokens=100, messages=HI)
        assert raised.value.status_code == status
        if fault == "context-length":
            assert "prompt is too long" in raised.value.message


def test_errors_of_the_gateway_itself():
    nobody = Anthropic(base_url=URL, api_key="nobody", max_retries=0)
    for kind, by, model in [(anthropic.AuthenticationError, nobody, "openai"), (anthropic.NotFoundError, client, "no")]:
        with pytest.raises(kind) as raised:
            by.messages.create(model=model, max_tokens=100, messages=HI)
        assert raised.value.request_id == raised.value.response.headers["x-request-id"]


def test_an_answer_names_its_request(provider):
    raw = client.messages.with_raw_response.create(model=provider, max_tokens=100, messages=HI)
    assert raw.parse()._request_id == raw.headers["x-request-id"]


def test_a_stream_that_breaks_off_raises(provider):
    with pytest.raises(anthropic.APIError):
        with client.messages.stream(
            model=f"{provider}-error-event-late-anthropic", max_tokens=100, messages=HI
        ) as stream:
            stream.get_final_message()


def test_models_are_listed():
    names = [model.id for model in client.models.list()]
    assert {"openai", "anthropic", "gemini", "bedrock"} <= set(names)
    assert client.models.retrieve("gemini").id == "gemini"
