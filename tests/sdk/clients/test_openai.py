"""OpenAI's SDK at the endpoints that are no chats: text completions, embeddings, pictures, sound, moderation."""

import asyncio
import base64
import hashlib
import io
import struct

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from conftest import KEY, SAID, SIMULATOR, URL, asked, run

client = OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)

# One pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
# A second of something, as far as anybody can tell.
SOUND = b"ID3" + bytes(range(256)) * 125


def upload(name="sound.mp3", content=SOUND):
    return (name, io.BytesIO(content))


def heard(content=SOUND, name="sound.mp3"):
    """What the simulator says of a file: it arrived as it was sent."""
    return f"I heard {name}: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()[:8]}."


@pytest.mark.parametrize("model", ["instruct", "openai", "anthropic", "gemini", "bedrock"])
def test_a_prompt_is_completed(model):
    answer = client.completions.create(model=model, prompt="Hi", max_tokens=100)
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == (SAID, "stop")
    chunks = list(client.completions.create(model=model, prompt="Hi", max_tokens=100, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == SAID
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"


@pytest.mark.parametrize("model", ["embed-openai", "embed-cohere", "embed-gemini", "embed-bedrock", "embed-mistral"])
def test_embeddings_as_numbers_and_as_bytes_are_the_same(model):
    texts = ["Hello", "Bye"]
    numbers = client.embeddings.create(model=model, input=texts, encoding_format="float")
    packed = client.embeddings.create(model=model, input=texts, encoding_format="base64")
    usual = client.embeddings.create(model=model, input=texts)
    assert [one.index for one in numbers.data] == [0, 1] and numbers.data[0].embedding != numbers.data[1].embedding
    for one, bytes_of_it, unasked in zip(numbers.data, packed.data, usual.data):
        raw = base64.b64decode(bytes_of_it.embedding)
        assert list(struct.unpack(f"<{len(raw) // 4}f", raw)) == pytest.approx(one.embedding, abs=1e-6)
        assert unasked.embedding == pytest.approx(one.embedding, abs=1e-6)
    # Gemini does not say.
    assert numbers.usage.prompt_tokens > 0 or model == "embed-gemini"


def test_more_texts_than_a_model_takes_are_refused_by_name():
    assert len(client.embeddings.create(model="embed-titan", input="Hello").data) == 1
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="embed-titan", input=["Hello", "Bye"])
    assert refused.value.param == "input"


def test_a_picture_is_made():
    answer = client.images.generate(model="image", prompt="A duck", size="1024x1024", n=2)
    assert len(answer.data) == 2 and answer.usage.total_tokens > 0
    for picture in answer.data:
        assert base64.b64decode(picture.b64_json).startswith(b"\x89PNG\r\n\x1a\n")


def test_a_picture_is_made_step_by_step():
    events = list(client.images.generate(model="image", prompt="A duck", stream=True, partial_images=2))
    kinds = [event.type for event in events]
    assert kinds == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert base64.b64decode(events[-1].b64_json).startswith(b"\x89PNG") and events[-1].usage.total_tokens > 0


def test_pictures_are_changed():
    one = client.images.edit(model="image", image=upload("a.png", PNG), prompt="Paint it blue")
    mask = upload("mask.png", PNG)
    two = client.images.edit(model="image", image=[upload("a.png", PNG), upload("b.png", PNG)], mask=mask, prompt="Both")
    for answer in (one, two):
        assert base64.b64decode(answer.data[0].b64_json).startswith(b"\x89PNG")
    assert asked("/v1/images/edits")


@pytest.mark.parametrize("model", ["whisper-1", "transcribe"])
def test_sound_is_heard(model):
    answer = client.audio.transcriptions.create(model=model, file=upload())
    assert answer.text == heard()
    text = client.audio.transcriptions.create(model=model, file=upload(), response_format="text")
    assert text.strip() == heard()


def test_sound_is_heard_with_its_times():
    more = dict(response_format="verbose_json", timestamp_granularities=["word", "segment"])
    answer = client.audio.transcriptions.create(model="whisper-1", file=upload(), **more)
    assert answer.text == heard() and answer.duration > 0
    assert "".join(segment.text for segment in answer.segments) == heard() and answer.words[0].word == "I"
    for subtitles in ("srt", "vtt"):
        text = client.audio.transcriptions.create(model="whisper-1", file=upload(), response_format=subtitles)
        assert "-->" in text


def test_what_is_heard_is_streamed():
    events = list(client.audio.transcriptions.create(model="transcribe", file=upload(), stream=True))
    assert events[-1].type == "transcript.text.done"
    assert "".join(event.delta for event in events[:-1]) == events[-1].text == heard()


def test_many_are_heard_at_once():
    async def all_of_them():
        async with AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0) as by:
            names = [f"{number}.wav" for number in range(8)]
            ask = [by.audio.transcriptions.create(model="transcribe", file=upload(name)) for name in names]
            return zip(names, await asyncio.gather(*ask))

    for name, answer in run(all_of_them()):
        assert answer.text == heard(name=name)


def test_sound_is_translated():
    assert client.audio.translations.create(model="whisper-1", file=upload()).text == heard()
    verbose = client.audio.translations.create(model="whisper-1", file=upload(), response_format="verbose_json")
    assert (verbose.text, verbose.language) == (heard(), "english")


@pytest.mark.parametrize("sound, begins", [("mp3", b"\xff"), ("wav", b"RIFF"), ("flac", b"fLaC"), ("opus", b"OggS")])
def test_a_text_is_spoken(sound, begins, tmp_path):
    ask = dict(model="speech", voice="coral", input="Hello there, this is a test.", response_format=sound)
    direct = OpenAI(base_url=f"{SIMULATOR}/v1", api_key="sk-direct", max_retries=0)
    expect = direct.audio.speech.create(**(ask | {"model": "gpt-4o-mini-tts"})).content
    assert expect.startswith(begins)
    assert client.audio.speech.create(**ask).content == expect
    with client.audio.speech.with_streaming_response.create(**ask) as answer:
        answer.stream_to_file(tmp_path / "spoken")
    assert (tmp_path / "spoken").read_bytes() == expect


def test_texts_are_moderated():
    answer = client.moderations.create(model="moderation", input=["Hello", "I will murder you"])
    assert [result.flagged for result in answer.results] == [False, True]
    assert answer.results[1].categories.violence


def test_a_model_that_cannot_is_named():
    asks = [
        lambda: client.embeddings.create(model="anthropic", input="Hi"),
        lambda: client.images.generate(model="gemini", prompt="A duck"),
        lambda: client.audio.transcriptions.create(model="anthropic", file=upload()),
        lambda: client.audio.speech.create(model="bedrock", input="Hi", voice="coral"),
        lambda: client.moderations.create(model="anthropic", input="Hi"),
    ]
    for ask in asks:
        with pytest.raises(openai.BadRequestError) as refused:
            ask()
        assert (refused.value.code, refused.value.param) == ("endpoint_not_supported", "model")
    with pytest.raises(openai.NotFoundError):
        client.audio.transcriptions.create(model="nobody", file=upload())


def test_the_providers_own_refusal_of_a_file_is_in_its_own_words():
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.transcriptions.create(model="whisper-1", file=upload("notes.txt"))
    assert "Supported formats" in refused.value.message


def test_models_are_listed():
    names = [model.id for model in client.models.list()]
    assert {"openai", "anthropic", "embed-cohere", "whisper-1"} <= set(names)
    assert client.models.retrieve("anthropic").object == "model"
