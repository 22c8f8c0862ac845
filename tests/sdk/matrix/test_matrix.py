"""Caller's dialect × provider × feature: every cell is asked through an official SDK, and works or is refused by name.

What is seen here is what `docs/providers.md` says.
"""

import json

import pytest

from callers import CALLERS, PNG, SCHEMA, TOOL, Failed, Refused

SAID = 'You said "Hi", and that is what I heard.'
STOPPED = {"stop", "end_turn", "completed", "STOP"}
CALLED = {"tool_calls", "tool_use", "completed", "STOP"}
# Providers whose answers are text and nothing else.
PLAIN = {"oneinfer"}


class Absent(Exception):
    """The provider has no place for it in its answers."""


@pytest.fixture(params=CALLERS, ids=lambda caller: caller.name)
def caller(request):
    return request.param()


def judge(caller, provider, cell, feature, check):
    if feature not in caller.features:
        pytest.skip("this dialect has no words for it")
    try:
        check()
    except Refused:
        cell(caller.name, feature, "refused")
    except Absent:
        cell(caller.name, feature, "absent")
    else:
        cell(caller.name, feature, "yes")


def ended(said, allowed):
    assert str(getattr(said.ended, "value", said.ended)) in allowed


def test_whole(caller, provider, cell):
    def check():
        said = caller.ask(provider, "Hi")
        assert said.text == SAID
        assert said.input > 0 and said.output > 0
        ended(said, STOPPED)

    judge(caller, provider, cell, "whole", check)


def test_streamed(caller, provider, cell):
    def check():
        said = caller.ask(provider, "Hi", stream=True)
        assert said.text == SAID
        whole = caller.ask(provider, "Hi")
        assert (said.input, said.output) == (whole.input, whole.output), "usage is the same, streamed or not"
        ended(said, STOPPED)

    judge(caller, provider, cell, "streamed", check)


def test_tools(caller, provider, cell):
    def check():
        for stream in (False, True):
            said = caller.ask(provider, "The weather?", tools=True, stream=stream)
            (call,) = said.calls
            assert call["name"] == TOOL
            assert isinstance(call["arguments"]["city"], str) and isinstance(call["arguments"]["days"], int)
            ended(said, CALLED)
            said = caller.ask(provider, "The weather?", tools=True, result=(call, "rain"), stream=stream)
            assert "rain" in said.text and not said.calls
        said = caller.ask(f"{provider}-parallel", "The weather?", tools=True, stream=True)
        assert [call["name"] for call in said.calls] == [TOOL, TOOL]
        ids = [call["id"] for call in said.calls]
        # Gemini itself may leave its calls without names.
        assert len(set(ids)) == 2 and all(ids) or caller.name == "generate_content" and not any(ids)

    judge(caller, provider, cell, "tools", check)


def test_vision(caller, provider, cell):
    def check():
        for stream in (False, True):
            said = caller.ask(provider, "What is it?", image=PNG, stream=stream)
            assert "showed 1 image" in said.text

    judge(caller, provider, cell, "vision", check)


def test_structured(caller, provider, cell):
    def check():
        for stream in (False, True):
            said = caller.ask(provider, "Hi", schema=SCHEMA, stream=stream)
            answer = json.loads(said.text)
            assert set(answer) == {"city", "days"}
            assert isinstance(answer["city"], str) and isinstance(answer["days"], int)
            ended(said, STOPPED)

    judge(caller, provider, cell, "structured", check)


def test_thinking(caller, provider, cell):
    def check():
        for stream in (False, True):
            said = caller.ask(f"{provider}-thinking", "Hi", stream=stream)
            assert said.text == SAID
            if provider not in PLAIN:
                assert "short answer will do" in said.thoughts
        if provider in PLAIN:
            assert not said.thoughts
            raise Absent

    judge(caller, provider, cell, "thinking", check)


def test_counts(caller, provider, cell):
    def check():
        few = caller.count(provider, "Hi")
        assert 0 < few < caller.count(provider, "Hi there, how many fish are in the weir today?")

    judge(caller, provider, cell, "counts", check)


def test_error(caller, provider, cell):
    """The caller's fault comes back as the SDK's own class, in the provider's words; the provider's as 429 and 5xx."""

    def check():
        for stream in (False, True):
            for fault, status in [("context-length", 400), ("429", 429), ("503", 503)]:
                with pytest.raises(Failed) as raised:
                    caller.ask(f"{provider}-{fault}-{caller.name}-{stream}".lower(), "Hi", stream=stream)
                assert raised.value.status == status, raised.value

    judge(caller, provider, cell, "error", check)
