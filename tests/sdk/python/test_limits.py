"""Limits of Weir's: the SDK waits for a rate as it is told, and does not ask again for a budget that is spent."""

import openai
import pytest

HI = [{"role": "user", "content": "Hi"}]


def test_a_rate_is_waited_for(client, path):
    model = path.failing("rated")
    ask = lambda: client.chat.completions.with_raw_response.create(model=model, messages=HI)
    first, second = ask(), ask()
    assert (first.retries_taken, first.headers["x-ratelimit-remaining-requests"]) == (0, "0")
    assert (second.status_code, second.retries_taken) == (200, 1)


def test_a_spent_budget_is_told_at_once(client, path, simulator):
    model = path.failing("spent")
    ask = lambda: client.chat.completions.create(model=model, messages=HI)
    ask(), ask()
    with pytest.raises(openai.RateLimitError) as raised:
        ask()
    assert raised.value.code == "insufficient_quota"
    assert raised.value.response.headers["x-should-retry"] == "false"
    assert len(simulator.asked(f"{path.model}+{model}")) == 2
