"""Holds what callers receive in the corpus against the official SDKs' own types, strictly.

    python validate_fixtures.py ../../fixtures
    python validate_fixtures.py ../../fixtures anthropic google

The second holds only those against their types that belong to these packages.

Every answer that Weir wrote itself is parsed with the type that the SDK has for its endpoint; a value of another type, a
member that lacks, and a member that the type does not know are reported, but for those in EXTRA. Answers that passed
as they came are their provider's affair. The status is 1 if anything was reported.
"""

import importlib
import json
import sys
import typing
from pathlib import Path

import pydantic

# Members that Weir adds on purpose, because callers cannot do without and no official type has them.
EXTRA = {
    "chat": {
        # How hosts of reasoning models spell it, and how a proof of reasoning travels.
        "reasoning_content",
        "reasoning_details",
        # How hosts of image-making chat models spell it.
        "images",
        # The official type has them in whole answers only.
        "annotations",
        # What a source says beyond being a page.
        "document_index",
        "cited_text",
        "cache_write_tokens",
    },
    "responses": {
        # The API has them, its types do not, or not those of events.
        "store",
        "bytes",
        "document_index",
        "cited_text",
        # What the SDKs raise.
        "error",
    },
    "completions": {"cache_write_tokens"},
    "messages": set(),
    "generate_content": set(),
}

# The types of an endpoint's whole answers and of its events.
TYPES = {
    "chat": ("openai.types.chat:ChatCompletion", "openai.types.chat:ChatCompletionChunk"),
    "completions": ("openai.types:Completion", "openai.types:Completion"),
    "responses": ("openai.types.responses:Response", "openai.types.responses:ResponseStreamEvent"),
    "messages": ("anthropic.types:Message", "anthropic.types:RawMessageStreamEvent"),
    "generate_content": ("google.genai.types:GenerateContentResponse", "google.genai.types:GenerateContentResponse"),
}

# With what a stream that is complete ends.
ENDS = {
    "chat": {"[DONE]"},
    "completions": {"[DONE]"},
    "responses": {"response.completed", "response.incomplete", "response.failed"},
    "messages": {"message_stop"},
}


# Blocks of answers that models elsewhere make, and that the API has in requests only.
MADE = {"messages": {"image"}}

# Events that the API documents and the SDK's union leaves out, since its own reader deals with them.
KNOWN = {"messages": {"ping", "error"}}


def named(name):
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError:
        return None


def members(kind):
    """The models of a union, by their `type`; one model under None."""
    if typing.get_origin(kind) is typing.Annotated:
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) is not typing.Union:
        return {None: kind}
    models = {}
    for model in typing.get_args(kind):
        for name in typing.get_args(model.model_fields["type"].annotation):
            models[name] = model
    return models


def unknown(value, path=""):
    """The paths of members that no type knows."""
    if isinstance(value, pydantic.BaseModel):
        for name, inner in (value.model_extra or {}).items():
            yield f"{path}.{name}", name
        for name in type(value).model_fields:
            yield from unknown(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from unknown(inner, f"{path}[{index}]")


def meant(error, extra, endpoint):
    """What an error says about the types that were meant, and not about the others of a union."""
    others = [found["loc"][:-1] for found in error.errors() if found["type"] == "literal_error" and found["loc"][-1] == "type"]
    of_these = [found for found in error.errors() if not any(found["loc"][: len(other)] == other for other in others if other)]
    # No type has this name: then all of them are told.
    for found in of_these or error.errors():
        loc = found["loc"]
        if found["type"] == "extra_forbidden" and loc[-1] in extra:
            continue
        # The API's chunks say null before the last; the type is also that of whole answers.
        if endpoint == "completions" and loc[-1] == "finish_reason" and found["input"] is None:
            continue
        yield found


def judge(data, models, extra, endpoint=None):
    """What is wrong with one object; `endpoint` is that of the stream that it is from."""
    kind = data.get("type") if None not in models else None
    if kind in KNOWN.get(endpoint, ()):
        return []
    if kind not in models:
        return [f"no event is called {kind!r}"]
    try:
        value = models[kind].model_validate_json(json.dumps(data), strict=True)
    except pydantic.ValidationError as error:
        return [f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in meant(error, extra, endpoint)]
    return [f"{path[1:]}: no type has it" for path, name in unknown(value) if name not in extra]


def lines(text):
    """Those of a stream, whatever ends them. (Python's own idea of lines has more ends than the format has.)"""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def events(text):
    """The events of a stream: name and data."""
    for block in lines(text).split("\n\n"):
        fields = [line.partition(":") for line in block.split("\n")]
        data = [value.removeprefix(" ") for name, _, value in fields if name == "data"]
        name = next((value.strip() for name, _, value in fields if name == "event"), None)
        if data:
            yield name, "\n".join(data)


def streamed(text, endpoint, models, broken):
    """What is wrong with a stream."""
    last, number = None, 0
    for name, data in events(text):
        if data == "[DONE]":
            last = data
            continue
        event = json.loads(data)
        last = event.get("type", "a chunk")
        # The other dialects end with an object that only says what went wrong.
        if broken and "error" in event and endpoint != "responses":
            continue
        for problem in judge(event, models, EXTRA[endpoint], endpoint):
            yield f"{last}: {problem}"
        if "type" in event and name != last:
            yield f"the event {last!r} is called {name!r}"
        if endpoint == "responses" and last != "error":
            if event["sequence_number"] != number:
                yield f"{last} has number {event['sequence_number']} where {number} is due"
            number += 1
    if not broken and endpoint in ENDS and last not in ENDS[endpoint]:
        yield f"the stream ends with {last!r}"


def folded(received):
    """What is wrong with a stream of Responses by the SDK's own helper, which folds it as it reads."""
    import openai

    try:
        import httpx2 as httpx
    except ImportError:
        import httpx
    answer = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=received.encode())
    transport = httpx.MockTransport(lambda _: answer)
    client = openai.OpenAI(api_key="none", http_client=httpx.Client(transport=transport), max_retries=0)
    said, arguments = "", {}
    with client.responses.stream(model="any", input="any") as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                said += event.delta
            if event.type == "response.function_call_arguments.delta":
                arguments[event.output_index] = event.snapshot
            if event.type == "response.function_call_arguments.done":
                if event.arguments != arguments.get(event.output_index, ""):
                    return [f"the arguments {event.arguments!r} are not those that were told"]
            if event.type in ENDS["responses"] and event.response.output_text != said:
                return [f"the text that was told is {said!r}, that of the response {event.response.output_text!r}"]
    return []


def passed(case, received):
    """Whether an answer is what the provider sent, without what was left out and with the end that it lacked."""
    sent = lines(next(case.glob("3-answer.*")).read_bytes().decode(errors="replace"))
    blocks = [block.strip() for block in lines(received).split("\n\n")]
    return all(block in sent or block == "data: [DONE]" for block in blocks)


def main(root, packages):
    missing, checked, problems = set(), 0, 0
    for meta in sorted(root.glob("*/*/meta.json")):
        case = meta.parent
        told = json.loads(meta.read_text())
        endpoint = told.get("endpoint", "chat")
        file = next(case.glob("4-caller.*"), None)
        package = TYPES.get(endpoint, ("",))[0].partition(".")[0]
        if packages and package not in packages:
            continue
        if endpoint not in TYPES or file is None or told.get("status", 200) != 200:
            continue
        received = file.read_bytes().decode(errors="replace")
        # Nothing reaches the caller of an answer that is broken before its first token.
        if not received.strip() or passed(case, received):
            continue
        kind = named(TYPES[endpoint][file.suffix == ".sse"])
        if kind is None:
            missing.add(package)
            continue
        checked += 1
        if file.suffix == ".sse":
            found = list(streamed(received, endpoint, members(kind), "fault" in told))
            if endpoint == "responses" and "fault" not in told and not found:
                found = folded(received)
        else:
            answer = json.loads(received)
            if endpoint in MADE:
                answer["content"] = [block for block in answer["content"] if block["type"] not in MADE[endpoint]]
            found = judge(answer, members(kind), EXTRA[endpoint])
        for problem in found:
            print(f"{case.relative_to(root)}/{file.name}: {problem}")
        problems += len(found)
    print(f"{checked} answers checked, {problems} problems" + "".join(f"; {name} is not installed" for name in missing))
    return 1 if problems or not checked else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
