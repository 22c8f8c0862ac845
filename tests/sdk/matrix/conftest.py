"""The gateway under test, the providers behind it, and where each cell's outcome is written down."""

import json
import os

import pytest

# Without a path: each SDK adds its own.
URL = os.environ["WEIR_URL"].removesuffix("/v1")
KEY = os.environ["WEIR_KEY"]

# The model of the gateway's configuration that each provider answers for.
PROVIDERS = os.environ["WEIR_PROVIDERS"].split(",")

CELLS = {}


@pytest.fixture(params=PROVIDERS)
def provider(request):
    return request.param


@pytest.fixture
def cell(request, provider):
    """Notes what became of one cell of the matrix; a cell that fails is noted as such."""

    def note(caller, feature, outcome):
        CELLS.setdefault(caller, {}).setdefault(provider, {})[feature] = outcome

    return note


def pytest_sessionfinish(session, exitstatus):
    out = os.environ.get("WEIR_MATRIX")
    if out and exitstatus == 0:
        with open(out, "w") as file:
            json.dump(CELLS, file, indent=1, sort_keys=True)
