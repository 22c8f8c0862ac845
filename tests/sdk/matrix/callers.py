"""One caller for each dialect, on top of its official SDK: the same seven things asked of any provider.

Each method returns what the SDK's own types say, in one shape, so that one test can judge all.
"""

import json
from dataclasses import dataclass, field

import anthropic
import openai
from google import genai
from google.genai import types

from conftest import KEY, URL

# One pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOL = "weather"


@dataclass
class Said:
    """An answer in one shape."""

    text: str = ""
    thoughts: str = ""
    calls: list = field(default_factory=list)
    input: int = 0
    output: int = 0
    ended: str = ""


class Refused(Exception):
    """The gateway says that the provider cannot express this."""


class Failed(Exception):
    """The SDK raised the error class that it has for this status."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


class Chat:
    """OpenAI chat completions."""

    name = "chat"
    features = ("whole", "streamed", "tools", "vision", "structured", "thinking", "error")

    def __init__(self):
        self.client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)

    def ask(self, model, words, image=None, schema=None, tools=False, result=None, stream=False):
        content = words
        if image:
            content = [
                {"type": "text", "text": words},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
            ]
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]
        more = {}
        if tools:
            more["tools"] = [
                {"type": "function", "function": {"name": TOOL, "description": "Tells it", "parameters": SCHEMA}}
            ]
        if result:
            call, answer = result
            messages += [
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": call["id"],
                            "type": "function",
                            "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": call["id"], "content": answer},
            ]
        if schema:
            more["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "it", "schema": schema, "strict": True},
            }
        if stream:
            more["stream_options"] = {"include_usage": True}
        with errors():
            answer = self.client.chat.completions.create(model=model, messages=messages, stream=stream, **more)
            return self.streamed(answer) if stream else self.whole(answer)

    def whole(self, answer):
        (choice,) = answer.choices
        message = choice.message
        return Said(
            text=message.content or "",
            thoughts=getattr(message, "reasoning_content", None) or "",
            calls=[
                {"id": call.id, "name": call.function.name, "arguments": json.loads(call.function.arguments)}
                for call in message.tool_calls or []
            ],
            input=answer.usage.prompt_tokens,
            output=answer.usage.completion_tokens,
            ended=choice.finish_reason,
        )

    def streamed(self, stream):
        said, calls = Said(), {}
        for chunk in stream:
            if chunk.usage:
                said.input, said.output = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
            for choice in chunk.choices:
                said.text += choice.delta.content or ""
                said.thoughts += getattr(choice.delta, "reasoning_content", None) or ""
                said.ended = choice.finish_reason or said.ended
                for delta in choice.delta.tool_calls or []:
                    call = calls.setdefault(delta.index, {"id": "", "name": "", "arguments": ""})
                    call["id"] += delta.id or ""
                    call["name"] += delta.function.name or ""
                    call["arguments"] += delta.function.arguments or ""
        said.calls = [{**call, "arguments": json.loads(call["arguments"])} for call in calls.values()]
        return said


class Completions:
    """OpenAI's legacy text completions."""

    name = "completions"
    features = ("whole", "streamed", "error")

    def __init__(self):
        self.client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)

    def ask(self, model, words, stream=False):
        with errors():
            answer = self.client.completions.create(
                model=model,
                prompt=words,
                stream=stream,
                **({"stream_options": {"include_usage": True}} if stream else {}),
            )
            said = Said()
            for part in answer if stream else [answer]:
                if part.usage:
                    said.input, said.output = part.usage.prompt_tokens, part.usage.completion_tokens
                for choice in part.choices:
                    said.text += choice.text
                    said.ended = choice.finish_reason or said.ended
            return said


class Responses:
    """OpenAI Responses."""

    name = "responses"
    features = ("whole", "streamed", "tools", "vision", "structured", "thinking", "error")

    def __init__(self):
        self.client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)

    def ask(self, model, words, image=None, schema=None, tools=False, result=None, stream=False):
        content = [{"type": "input_text", "text": words}]
        if image:
            content.append({"type": "input_image", "image_url": f"data:image/png;base64,{image}", "detail": "auto"})
        items = [{"role": "user", "content": content}]
        more = {}
        if tools:
            more["tools"] = [
                {"type": "function", "name": TOOL, "description": "Tells it", "parameters": SCHEMA, "strict": False}
            ]
        if result:
            call, answer = result
            items += [
                {
                    "type": "function_call",
                    "call_id": call["id"],
                    "name": call["name"],
                    "arguments": json.dumps(call["arguments"]),
                },
                {"type": "function_call_output", "call_id": call["id"], "output": answer},
            ]
        if schema:
            more["text"] = {"format": {"type": "json_schema", "name": "it", "schema": schema, "strict": True}}
        with errors():
            if stream:
                with self.client.responses.stream(
                    model=model, instructions="Be brief.", input=items, store=False, **more
                ) as events:
                    for _ in events:
                        pass
                    answer = events.get_final_response()
            else:
                answer = self.client.responses.create(
                    model=model, instructions="Be brief.", input=items, store=False, **more
                )
        said = Said(text=answer.output_text, ended=answer.status)
        said.input, said.output = answer.usage.input_tokens, answer.usage.output_tokens
        for item in answer.output:
            if item.type == "function_call":
                said.calls.append(
                    {"id": item.call_id, "name": item.name, "arguments": json.loads(item.arguments)}
                )
            elif item.type == "reasoning":
                said.thoughts += "".join(part.text for part in item.summary)
                said.thoughts += "".join(part.text for part in getattr(item, "content", None) or [])
        return said


class Messages:
    """Anthropic Messages."""

    name = "messages"
    features = ("whole", "streamed", "tools", "vision", "structured", "thinking", "counts", "error")

    def __init__(self):
        self.client = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0)

    def count(self, model, words):
        tools = [{"name": TOOL, "description": "Tells it", "input_schema": SCHEMA}]
        with errors():
            messages = [{"role": "user", "content": words}]
            return self.client.messages.count_tokens(
                model=model, system="Be brief.", messages=messages, tools=tools
            ).input_tokens

    def ask(self, model, words, image=None, schema=None, tools=False, result=None, stream=False):
        content = words
        if image:
            source = {"type": "base64", "media_type": "image/png", "data": image}
            content = [{"type": "text", "text": words}, {"type": "image", "source": source}]
        messages = [{"role": "user", "content": content}]
        more = {}
        if tools:
            more["tools"] = [{"name": TOOL, "description": "Tells it", "input_schema": SCHEMA}]
        if result:
            call, answer = result
            use = {"type": "tool_use", "id": call["id"], "name": call["name"], "input": call["arguments"]}
            messages += [
                {"role": "assistant", "content": [use]},
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": answer}],
                },
            ]
        if schema:
            more["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        with errors():
            asked = dict(model=model, max_tokens=4000, system="Be brief.", messages=messages, **more)
            if stream:
                with self.client.messages.stream(**asked) as events:
                    answer = events.get_final_message()
            else:
                answer = self.client.messages.create(**asked)
        said = Said(input=answer.usage.input_tokens, output=answer.usage.output_tokens, ended=answer.stop_reason)
        for block in answer.content:
            if block.type == "text":
                said.text += block.text
            elif block.type == "thinking":
                said.thoughts += block.thinking
            elif block.type == "tool_use":
                said.calls.append({"id": block.id, "name": block.name, "arguments": block.input})
        return said


class GenerateContent:
    """Google Gemini generateContent."""

    name = "generate_content"
    features = ("whole", "streamed", "tools", "vision", "structured", "thinking", "error")

    def __init__(self):
        self.client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL))

    def ask(self, model, words, image=None, schema=None, tools=False, result=None, stream=False):
        import base64

        parts = [types.Part(text=words)]
        if image:
            parts.append(types.Part.from_bytes(data=base64.b64decode(image), mime_type="image/png"))
        contents = [types.Content(role="user", parts=parts)]
        config = {"system_instruction": "Be brief."}
        if tools:
            plain = {name: value for name, value in SCHEMA.items() if name != "additionalProperties"}
            function = types.FunctionDeclaration(name=TOOL, description="Tells it", parameters_json_schema=plain)
            config["tools"] = [types.Tool(function_declarations=[function])]
            config["automatic_function_calling"] = {"disable": True}
        if result:
            call, answer = result
            contents += [
                types.Content(
                    role="model",
                    parts=[
                        types.Part(
                            function_call=types.FunctionCall(id=call["id"], name=call["name"], args=call["arguments"])
                        )
                    ],
                ),
                types.Content(
                    role="user",
                    parts=[
                        types.Part(
                            function_response=types.FunctionResponse(
                                id=call["id"], name=call["name"], response={"output": answer}
                            )
                        )
                    ],
                ),
            ]
        if model.endswith("-thinking"):
            # Gemini keeps thoughts to itself unless it is asked for them.
            config["thinking_config"] = types.ThinkingConfig(include_thoughts=True)
        if schema:
            config |= {"response_mime_type": "application/json", "response_json_schema": schema}
        asked = dict(model=model, contents=contents, config=types.GenerateContentConfig(**config))
        with errors():
            said = Said()
            chunks = (
                self.client.models.generate_content_stream(**asked)
                if stream
                else [self.client.models.generate_content(**asked)]
            )
            for chunk in chunks:
                if chunk.usage_metadata:
                    usage = chunk.usage_metadata
                    said.input = usage.prompt_token_count or said.input
                    said.output = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0) or said.output
                for candidate in chunk.candidates or []:
                    said.ended = candidate.finish_reason or said.ended
                    for part in (candidate.content and candidate.content.parts) or []:
                        if part.function_call:
                            call = part.function_call
                            said.calls.append({"id": call.id, "name": call.name, "arguments": call.args})
                        elif part.thought:
                            said.thoughts += part.text or ""
                        else:
                            said.text += part.text or ""
            return said


class errors:
    """Raises what an SDK raises in one shape, once the SDK has found its own class for it."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, openai.APIStatusError):
            body = error.body if isinstance(error.body, dict) else {}
            self.told(error.status_code, body.get("code"), error.message, isinstance(error, openai.RateLimitError))
        if isinstance(error, anthropic.APIStatusError):
            body = (error.body or {}).get("error", {})
            limited = isinstance(error, anthropic.RateLimitError)
            self.told(error.status_code, body.get("code"), body.get("message"), limited)
        if isinstance(error, genai.errors.APIError):
            details = error.details if isinstance(error.details, dict) else {}
            inner = details.get("error", details)
            reasons = [detail.get("reason") for detail in inner.get("details") or [] if isinstance(detail, dict)]
            # Google writes its reasons in capitals.
            code = next((reason.lower() for reason in reasons if reason), None)
            self.told(error.code, code, error.message, error.code == 429)
        return False

    def told(self, status, code, message, limited):
        if code in ("unsupported_parameter", "endpoint_not_supported"):
            raise Refused(message)
        assert limited == (status == 429), "the SDK's class fits the status"
        raise Failed(status, code, message)


CALLERS = [Chat, Completions, Responses, Messages, GenerateContent]
