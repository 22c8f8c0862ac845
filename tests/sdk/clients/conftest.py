"""The gateway under test, as the Rust test that started it describes it in the environment."""

import asyncio
import json
import os
import urllib.request

import pytest

# Without a path: each client adds its own.
URL = os.environ["WEIR_URL"].removesuffix("/v1")
KEY = os.environ["WEIR_KEY"]
SIMULATOR = os.environ["WEIR_SIMULATOR"]
TOKEN = {"authorization": f"Bearer {os.environ['WEIR_SIM_TOKEN']}"}

# The models of the gateway's configuration, each called as the provider that answers for it.
PROVIDERS = ["openai", "anthropic", "gemini", "bedrock"]

SAID = 'You said "Hi", and that is what I heard.'
THOUGHT = "The question is clear, so a short answer will do."
HI = [{"role": "user", "content": "Hi"}]
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}

# One for all tests: some clients outlive a test, and stay with the loop that they were first used in.
RUNNER = asyncio.Runner()
run = RUNNER.run


def pytest_sessionfinish():
    # What they left running ends before the interpreter does, which it would else take with it.
    RUNNER.close()


@pytest.fixture(params=PROVIDERS)
def provider(request):
    return request.param


def asked(path):
    """The requests that the providers have received at this path, oldest first."""
    with urllib.request.urlopen(urllib.request.Request(f"{SIMULATOR}/_sim/requests", headers=TOKEN)) as answer:
        return [request for request in json.load(answer) if request["path"].partition("?")[0] == path]
