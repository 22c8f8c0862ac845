"""LangChain: OpenAI's chat completions, Responses and embeddings, as its chains and agents use them."""

import asyncio
import json

import openai
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from conftest import KEY, SAID, URL, run



class Weather(BaseModel):
    """The weather of a city."""

    city: str
    days: int


@tool
def weather(city: str, days: int) -> str:
    """Tells it."""
    return f"rain in {city}"


@pytest.fixture(params=[False, True], ids=["chat", "responses"])
def chat(request, provider):
    """A chat model for a model of the gateway: by chat completions, or by Responses."""

    def by(name=provider, **more):
        at = dict(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
        return ChatOpenAI(model=name, use_responses_api=request.param, **at, **more)

    return by


def test_it_is_asked(chat):
    answer = chat().invoke([("system", "Be brief."), ("human", "Hi")])
    assert answer.text == SAID
    assert answer.usage_metadata["input_tokens"] > 0 and answer.usage_metadata["output_tokens"] > 0


def test_it_streams(chat):
    whole = None
    for chunk in chat(stream_usage=True).stream("Hi"):
        whole = chunk if whole is None else whole + chunk
    assert whole.text == SAID
    plain = chat().invoke("Hi").usage_metadata
    assert {name: whole.usage_metadata[name] for name in ("input_tokens", "output_tokens")} == {
        name: plain[name] for name in ("input_tokens", "output_tokens")
    }


def test_many_at_once(chat):
    async def all_of_them():
        model = chat()
        return await model.abatch([f"number {number}" for number in range(8)])

    for number, answer in enumerate(run(all_of_them())):
        assert f'"number {number}"' in answer.text


def test_it_streams_side_by_side(chat):
    async def one(model):
        return "".join([chunk.text async for chunk in model.astream("Hi")])

    async def all_of_them():
        model = chat()
        return await asyncio.gather(*(one(model) for _ in range(8)))

    assert run(all_of_them()) == [SAID] * 8


def test_a_tool_is_called_and_its_result_is_heard(chat):
    model = chat().bind_tools([weather])
    messages = [HumanMessage("The weather?")]
    for stream in (False, True):
        if stream:
            first = None
            for chunk in model.stream(messages):
                first = chunk if first is None else first + chunk
        else:
            first = model.invoke(messages)
        (call,) = first.tool_calls
        assert call["name"] == "weather" and set(call["args"]) == {"city", "days"}
        result = weather.invoke(call)
        assert isinstance(result, ToolMessage)
        second = model.invoke([*messages, first, result])
        assert "rain" in second.text and not second.tool_calls


def test_a_tool_must_be_called(chat):
    answer = chat().bind_tools([weather], tool_choice="weather").invoke("Hi")
    assert [call["name"] for call in answer.tool_calls] == ["weather"]


def test_an_answer_has_a_type(chat):
    answer = chat().with_structured_output(Weather).invoke("Hi")
    assert isinstance(answer, Weather) and isinstance(answer.days, int)


def test_an_answer_has_a_type_by_a_tool(chat):
    """LangChain asks for one call at a time, which not all providers can be told."""
    model = chat().with_structured_output(Weather, method="function_calling")
    assert isinstance(model.invoke("Hi"), Weather)


def test_an_answer_is_json(chat):
    answer = chat().bind(response_format={"type": "json_object"}).invoke("Answer with JSON.")
    assert isinstance(json.loads(answer.text), dict)


@pytest.mark.parametrize("fault, kind", [("context-length", openai.BadRequestError), ("429", openai.RateLimitError)])
def test_errors_are_openais(chat, provider, fault, kind):
    model = chat(f"{provider}-{fault}-langchain")
    with pytest.raises(kind):
        model.invoke("Hi")
    with pytest.raises(kind):
        list(model.stream("Hi"))


def test_a_stream_that_breaks_off_raises(chat, provider):
    # Of a response that failed LangChain makes a ValueError.
    with pytest.raises((openai.APIError, ValueError)):
        list(chat(f"{provider}-error-event-late-langchain").stream("Hi"))


@pytest.mark.parametrize("model", ["embed-openai", "embed-cohere", "embed-gemini", "embed-bedrock"])
def test_embeddings(model):
    at = dict(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
    # Its own counting needs the tokens of OpenAI's models.
    embeddings = OpenAIEmbeddings(model=model, check_embedding_ctx_length=False, **at)
    one, other, again = embeddings.embed_documents(["Hello", "Bye", "Hello"])
    assert len(one) == len(other) > 200 and one == again != other
    assert run(embeddings.aembed_documents(["Hello"])) == [pytest.approx(one, abs=1e-6)]
