"""Errors raise the classes that OpenAI's own do, and are not repeated by the SDK where Weir has tried what there is."""

import openai
import pytest
from openai import OpenAI

from conftest import KEY, LIMITED_KEY, URL

HI = [{"role": "user", "content": "Hi"}]


def ask(client, model, **more):
    answer = client.chat.completions.create(model=model, messages=HI, **more)
    return list(answer) if more.get("stream") else answer


@pytest.fixture(params=["whole", "streamed"])
def delivery(request):
    return {"stream": True} if request.param == "streamed" else {}


def refused(kind, status, code, call):
    with pytest.raises(openai.APIStatusError) as raised:
        call()
    error = raised.value
    assert (type(error), error.status_code, error.code) == (kind, status, code), error
    assert error.request_id and error.message and error.type
    return error


def test_a_wrong_key(path, delivery):
    client = OpenAI(base_url=URL, api_key="weir-nobody-has-this-key")
    refused(openai.AuthenticationError, 401, "invalid_api_key", lambda: ask(client, path.model, **delivery))


def test_a_model_that_the_key_may_not_use(delivery):
    client = OpenAI(base_url=URL, api_key=LIMITED_KEY)
    call = lambda: ask(client, "claude-sonnet-4-5", **delivery)
    refused(openai.PermissionDeniedError, 403, "model_not_allowed", call)
    assert ask(client, "gpt-4o-mini", **delivery)


def test_a_model_that_does_not_exist(client, delivery):
    error = refused(openai.NotFoundError, 404, "model_not_found", lambda: ask(client, "nobody", **delivery))
    assert "nobody" in error.message and error.param == "model"


def test_a_path_that_does_not_exist(client):
    refused(openai.NotFoundError, 404, "unknown_path", lambda: client.files.list())


def test_a_chat_with_a_model_of_embeddings(client, delivery):
    call = lambda: ask(client, "all-minilm-l6-v2", **delivery)
    refused(openai.BadRequestError, 400, "endpoint_not_supported", call)


def test_a_prompt_that_is_too_long_for_the_model(client, path, delivery):
    model = path.failing("context-length")
    refused(openai.BadRequestError, 400, "context_length_exceeded", lambda: ask(client, model, **delivery))


def test_a_prompt_that_the_policy_refuses(client, path, delivery):
    model = path.failing("content-filter")
    refused(openai.BadRequestError, 400, "content_policy_violation", lambda: ask(client, model, **delivery))


def test_a_parameter_that_is_out_of_range(client, path, delivery):
    with pytest.raises(openai.BadRequestError):
        ask(client, path.model, temperature=9, **delivery)


def test_a_body_that_is_too_large(client):
    with pytest.raises(openai.APIStatusError) as raised:
        client.embeddings.create(model="all-minilm-l6-v2", input="long " * (1 << 20))
    assert (raised.value.status_code, raised.value.code) == (413, "request_too_large")


def test_a_provider_that_is_down_is_asked_once_more(client, path, simulator, delivery):
    model = path.failing("503" if delivery else "500")
    call = lambda: ask(client.with_options(max_retries=0), model, **delivery)
    refused(openai.InternalServerError, 503, "upstream_unavailable", call)
    upstream = f"fault-{'503' if delivery else '500'}+{model}"
    assert len(simulator.asked(upstream)) == 2


def test_of_two_providers_that_are_down_the_last_is_asked_once_more(client, path, simulator):
    model = path.failing("down")
    call = lambda: ask(client.with_options(max_retries=0), model)
    refused(openai.InternalServerError, 503, "upstream_unavailable", call)
    assert [len(simulator.asked(f"fault-503+{name}+{model}")) for name in ["first", "second"]] == [1, 2]


def test_a_key_of_ours_that_the_provider_refuses_does_not_blame_the_callers(client, path, simulator):
    model = path.failing("401")
    refused(openai.InternalServerError, 502, "upstream_auth", lambda: ask(client, model))
    assert len(simulator.asked(f"fault-401+{model}")) == 1


def test_a_provider_that_limits_without_saying_for_how_long(client, path, simulator):
    model = path.failing("429")
    call = lambda: ask(client.with_options(max_retries=0), model)
    error = refused(openai.RateLimitError, 429, "rate_limited", call)
    assert error.response.headers["retry-after"] == "1"
    assert len(simulator.asked(f"fault-429+{model}")) == 2


def test_a_provider_that_limits_for_a_second_is_asked_again_after_it(client, path, simulator):
    upstream = f"{path.model}+{path.failing('pause')}"
    simulator.fails(upstream, "429-retry-1", 1)
    assert ask(client, path.failing("pause")).choices[0].message.content
    assert len(simulator.asked(upstream)) == 2


def test_without_retries_a_limit_is_told_with_its_end(path):
    client = OpenAI(base_url=URL, api_key=KEY, max_retries=0)
    model = path.failing("429-retry-7")
    for _ in range(2):
        error = refused(openai.RateLimitError, 429, "rate_limited", lambda: ask(client, model))
        assert 1 <= int(error.response.headers["retry-after"]) <= 7


@pytest.mark.parametrize("fault", ["error-event-late", "cut"])
def test_a_stream_that_its_provider_breaks_off_raises(client, path, fault):
    said = []
    with pytest.raises(openai.APIError) as raised:
        for chunk in client.chat.completions.create(model=path.failing(fault), messages=HI, stream=True):
            said.append(chunk.choices[0].delta.content or "")
    assert raised.value.code == "stream_incomplete"
    assert "".join(said)


def test_a_stream_whose_connection_breaks_raises(client, path):
    said = []
    with pytest.raises(openai.APIConnectionError):
        for chunk in client.chat.completions.create(model=path.failing("break"), messages=HI, stream=True):
            said.append(chunk.choices[0].delta.content or "")
    assert "".join(said)
