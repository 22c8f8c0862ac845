"""Embeddings from a hosted provider and from the model on this machine."""

import json
import math
import os
from pathlib import Path

import pytest
from openai import BadRequestError

HOSTED = "text-embedding-3-small"
LOCAL = "all-minilm-l6-v2"


def distance(one, other):
    assert len(one) == len(other)
    return max(abs(a - b) for a, b in zip(one, other))


@pytest.mark.parametrize("model, size", [(HOSTED, 1536), (LOCAL, 384)])
def test_base64_which_is_the_default_and_float_give_the_same_vector(client, model, size):
    by_default = client.embeddings.create(model=model, input="Hello")
    as_floats = client.embeddings.create(model=model, input="Hello", encoding_format="float")
    assert (by_default.object, by_default.model) == ("list", model)
    assert by_default.usage.prompt_tokens == by_default.usage.total_tokens > 0
    one, other = by_default.data[0].embedding, as_floats.data[0].embedding
    assert len(one) == size
    assert distance(one, other) < 1e-6
    assert by_default._request_id


@pytest.mark.parametrize("model", [HOSTED, LOCAL])
def test_many_inputs_are_answered_in_order(client, model):
    texts = [f"text number {number}" for number in range(20)]
    together = client.embeddings.create(model=model, input=texts).data
    assert [item.index for item in together] == list(range(20))
    alone = client.embeddings.create(model=model, input=texts[13]).data[0].embedding
    assert distance(together[13].embedding, alone) < 1e-4


@pytest.mark.parametrize("model", [HOSTED, LOCAL])
@pytest.mark.parametrize("encoding", [None, "float"])
def test_fewer_dimensions(client, model, encoding):
    more = {"encoding_format": encoding} if encoding else {}
    embedding = client.embeddings.create(model=model, input="Hello", dimensions=256, **more).data[0].embedding
    assert len(embedding) == 256
    assert math.isclose(sum(value * value for value in embedding), 1, rel_tol=1e-3)


@pytest.mark.parametrize("model, size", [(HOSTED, 1536), (LOCAL, 384)])
def test_more_dimensions_than_a_model_has_are_refused(client, model, size):
    with pytest.raises(BadRequestError) as refused:
        client.embeddings.create(model=model, input="Hello", dimensions=size + 1)
    assert refused.value.param == "dimensions"


@pytest.mark.parametrize("encoding", [None, "float"])
def test_the_local_model_gives_the_reference_vectors(client, encoding):
    cases = json.loads(Path(os.environ["WEIR_REFERENCE"]).read_text())
    more = {"encoding_format": encoding} if encoding else {}
    for inputs in ["text", "tokens"]:
        answer = client.embeddings.create(model=LOCAL, input=[case[inputs] for case in cases], **more)
        assert answer.usage.prompt_tokens == sum(len(case["tokens"]) for case in cases)
        for case, item in zip(cases, answer.data, strict=True):
            assert distance(case["embedding"], item.embedding) < 1e-4
            assert math.isclose(sum(value * value for value in item.embedding), 1, rel_tol=1e-3)
