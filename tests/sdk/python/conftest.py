"""The gateway under test, as the Rust test that started it describes it in the environment."""

import json
import os
import urllib.request
from dataclasses import dataclass

import pytest
from openai import OpenAI

URL = os.environ["WEIR_URL"]
KEY = os.environ["WEIR_KEY"]
# May use gpt-4o-mini only.
LIMITED_KEY = os.environ["WEIR_LIMITED_KEY"]
SIMULATOR = os.environ["WEIR_SIMULATOR"]
TOKEN = {"authorization": f"Bearer {os.environ['WEIR_SIM_TOKEN']}"}


@dataclass(frozen=True)
class Path:
    """One way through the gateway: to a provider that speaks OpenAI, or to one that speaks Anthropic."""

    model: str
    upstream: str

    def failing(self, fault):
        """A model that fails so, used by these tests alone."""
        return f"python-{self.model}-{fault}"


@pytest.fixture(params=["gpt-4o-mini", "claude-sonnet-4-5"])
def path(request):
    dialect = {"gpt-4o-mini": "openai", "claude-sonnet-4-5": "anthropic"}
    return Path(request.param, dialect[request.param])


@pytest.fixture
def client():
    return OpenAI(base_url=URL, api_key=KEY)


class Simulator:
    """The provider behind the gateway."""

    def asked(self, model):
        """The requests that it has received for this model, oldest first."""
        with urllib.request.urlopen(urllib.request.Request(f"{SIMULATOR}/_sim/requests", headers=TOKEN)) as answer:
            requests = json.load(answer)
        bodies = [json.loads(request["body"] or "{}") for request in requests if request["method"] == "POST"]
        return [body for body in bodies if body.get("model") == model]

    def fails(self, model, fault, times):
        """Makes the next requests for this model fail."""
        body = json.dumps({model: {"fault": fault, "times": times}}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{SIMULATOR}/_sim/faults", body, method="PUT")).close()


@pytest.fixture
def simulator():
    return Simulator()
