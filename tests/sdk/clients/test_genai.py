"""Google's SDK: chats, streams side by side, functions that it calls by itself, and models, whoever answers."""

import asyncio

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from conftest import KEY, SAID, THOUGHT, URL, run

client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL))


class Weather(BaseModel):
    city: str
    days: int


def test_a_chat_remembers(provider):
    chat = client.chats.create(model=provider)
    assert chat.send_message("Hi").text == SAID
    assert "".join(chunk.text or "" for chunk in chat.send_message_stream("Hi")) == SAID
    roles = [content.role for content in chat.get_history()]
    # What is streamed stays in pieces.
    assert roles[:3] == ["user", "model", "user"] and set(roles[3:]) == {"model"}


def test_many_streams_side_by_side(provider):
    async def one(number):
        chunks = await client.aio.models.generate_content_stream(model=provider, contents=f"number {number}")
        return "".join([chunk.text or "" async for chunk in chunks])

    async def all_of_them():
        return await asyncio.gather(*(one(number) for number in range(16)))

    for number, said in enumerate(run(all_of_them())):
        assert f'"number {number}"' in said


def test_a_function_is_called_by_the_sdk(provider):
    calls = []

    def weather(city: str, days: int) -> str:
        """Tells it."""
        calls.append((city, days))
        return "hail"

    config = types.GenerateContentConfig(tools=[weather])
    answer = client.models.generate_content(model=provider, contents="The weather?", config=config)
    assert len(calls) == 1 and "hail" in answer.text


def test_an_answer_has_a_type(provider):
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Weather)
    answer = client.models.generate_content(model=provider, contents="Hi", config=config)
    assert isinstance(answer.parsed, Weather)


def test_thoughts_are_told_and_go_back(provider):
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
    chat = client.chats.create(model=f"{provider}-thinking", config=config)
    for _ in range(2):
        answer = chat.send_message("Hi")
        parts = answer.candidates[0].content.parts
        assert "".join(part.text for part in parts if part.thought) == THOUGHT and answer.text == SAID


@pytest.mark.parametrize("fault, kind, status", [("context-length", errors.ClientError, 400), ("503", errors.ServerError, 503)])
def test_errors_are_googles(provider, fault, kind, status):
    ask = dict(model=f"{provider}-{fault}-genai", contents="Hi")
    with pytest.raises(kind) as raised:
        client.models.generate_content(**ask)
    assert raised.value.code == status
    with pytest.raises(kind):
        list(client.models.generate_content_stream(**ask))


def test_errors_of_the_gateway_itself():
    nobody = genai.Client(api_key="nobody", http_options=types.HttpOptions(base_url=URL))
    with pytest.raises(errors.ClientError) as raised:
        nobody.models.generate_content(model="openai", contents="Hi")
    assert raised.value.code == 401
    with pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(model="nobody", contents="Hi")
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")


def test_models_are_listed():
    names = [model.name for model in client.models.list()]
    assert {"models/openai", "models/gemini"} <= set(names)
    assert client.models.get(model="gemini").name == "models/gemini"


# What is called as one of Google's newer models, the SDK asks for one vector of all texts.
@pytest.mark.parametrize("model, size", [("openai", 1536), ("cohere", 1536), ("mistral", 1024)])
def test_texts_are_embedded(model, size):
    answer = client.models.embed_content(model=f"embed-{model}", contents=["one", "other"])
    assert [len(embedding.values) for embedding in answer.embeddings] == [size, size]


def test_vectors_are_for_a_task():
    config = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY", output_dimensionality=256)
    for model in ["openai", "cohere", "gemini"]:
        answer = client.models.embed_content(model=f"embed-{model}", contents="one", config=config)
        assert len(answer.embeddings[0].values) == 256


def test_tokens_are_counted(provider):
    assert client.models.count_tokens(model=provider, contents="How many fish are in the weir?").total_tokens > 0
