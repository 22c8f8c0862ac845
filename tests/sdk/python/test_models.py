"""The models that a key may use."""

import pytest
from openai import NotFoundError, OpenAI

from conftest import LIMITED_KEY, URL


def test_models_are_listed(client):
    models = {model.id: model for model in client.models.list()}
    assert {"gpt-4o-mini", "claude-sonnet-4-5", "assistant", "all-minilm-l6-v2"} <= set(models)
    assert models["assistant"].object == "model"
    assert models["assistant"].owned_by == "example"


def test_one_model_is_retrieved(client):
    assert client.models.retrieve("assistant").id == "assistant"
    with pytest.raises(NotFoundError):
        client.models.retrieve("nobody")


def test_a_limited_key_sees_what_it_may_use():
    client = OpenAI(base_url=URL, api_key=LIMITED_KEY)
    assert [model.id for model in client.models.list()] == ["gpt-4o-mini"]
    with pytest.raises(NotFoundError):
        client.models.retrieve("assistant")
