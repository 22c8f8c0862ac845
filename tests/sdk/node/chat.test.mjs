// Chat through either dialect: callers see no difference.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HI, PATHS, SAID, client, collect, content } from './gateway.mjs';

const WEATHER = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather of a city',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' } },
      required: ['city', 'days'],
    },
  },
};
// One pixel.
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==';

for (const { model } of PATHS) {
  test(`a whole answer of ${model}`, async () => {
    const answer = await client.chat.completions.create({ model, messages: HI });
    assert.equal(answer.object, 'chat.completion');
    assert.equal(answer.model, model);
    assert.equal(answer.choices[0].message.content, SAID);
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.ok(answer.usage.completion_tokens > 0);
    assert.ok(answer._request_id);
  });

  test(`a stream of ${model}`, async () => {
    const chunks = await collect(await client.chat.completions.create({ model, messages: HI, stream: true }));
    assert.equal(content(chunks), SAID);
    assert.equal(chunks[0].choices[0].delta.role, 'assistant');
    assert.deepEqual(chunks.map((chunk) => chunk.choices[0].finish_reason).filter(Boolean), ['stop']);
    assert.ok(chunks.every((chunk) => !chunk.usage));
  });

  test(`a stream of ${model} that tells its usage`, async () => {
    const stream_options = { include_usage: true };
    const chunks = await collect(
      await client.chat.completions.create({ model, messages: HI, stream: true, stream_options }),
    );
    assert.deepEqual(chunks.at(-1).choices, []);
    const whole = await client.chat.completions.create({ model, messages: HI });
    assert.equal(chunks.at(-1).usage.completion_tokens, whole.usage.completion_tokens);
    assert.equal(chunks.at(-1).usage.prompt_tokens, whole.usage.prompt_tokens);
  });

  test(`a stream of ${model} that is left early`, async () => {
    const stream = await client.chat.completions.create({ model, messages: HI, stream: true });
    for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
    const answer = await client.chat.completions.create({ model, messages: HI });
    assert.equal(answer.choices[0].message.content, SAID);
  });

  test(`many at once of ${model}`, async () => {
    const ask = async (_, number) => {
      const messages = [{ role: 'user', content: `number ${number}` }];
      const chunks = await collect(await client.chat.completions.create({ model, messages, stream: true }));
      assert.ok(content(chunks).includes(`"number ${number}"`));
    };
    await Promise.all(Array.from({ length: 32 }, ask));
  });

  test(`a tool is called by ${model}, and its result is heard`, async () => {
    const messages = [{ role: 'user', content: 'What will the weather be?' }];
    const first = await client.chat.completions.create({ model, messages, tools: [WEATHER] });
    assert.equal(first.choices[0].finish_reason, 'tool_calls');
    const { message } = first.choices[0];
    const [call] = message.tool_calls;
    assert.equal(call.function.name, 'weather');
    assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)).sort(), ['city', 'days']);
    messages.push(message, { role: 'tool', tool_call_id: call.id, content: 'rain' });
    const second = await client.chat.completions.create({ model, messages, tools: [WEATHER] });
    assert.equal(second.choices[0].message.content, 'The tool said "rain", and that is what I heard.');
  });

  test(`a tool call of ${model} is streamed in fragments`, async () => {
    const messages = [{ role: 'user', content: 'The weather?' }];
    const chunks = await collect(
      await client.chat.completions.create({ model, messages, tools: [WEATHER], stream: true }),
    );
    const deltas = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
    assert.ok(deltas.length > 2);
    assert.ok(deltas[0].id);
    assert.equal(deltas[0].function.name, 'weather');
    const args = JSON.parse(deltas.map((delta) => delta.function.arguments ?? '').join(''));
    assert.deepEqual(Object.keys(args).sort(), ['city', 'days']);
    assert.equal(chunks.map((chunk) => chunk.choices[0].finish_reason).findLast(Boolean), 'tool_calls');
  });

  test(`the SDK runs a tool for ${model} by itself`, async () => {
    const heard = [];
    const weather = { ...WEATHER.function, parse: JSON.parse, function: ({ city }) => (heard.push(city), 'hail') };
    const runner = client.chat.completions.runTools({
      model,
      stream: true,
      messages: [{ role: 'user', content: 'The weather?' }],
      tools: [{ type: 'function', function: weather }],
    });
    assert.equal(await runner.finalContent(), 'The tool said "hail", and that is what I heard.');
    assert.equal(heard.length, 1);
  });

  test(`an image is shown to ${model}`, async () => {
    for (const url of [`data:image/png;base64,${PNG}`, 'https://example.com/one.png']) {
      const content = [
        { type: 'text', text: 'What is this?' },
        { type: 'image_url', image_url: { url } },
      ];
      const answer = await client.chat.completions.create({ model, messages: [{ role: 'user', content }] });
      assert.match(answer.choices[0].message.content, /"What is this\?" and showed 1 image/);
    }
  });

  test(`the thinking of ${model} shows as reasoning_content`, async () => {
    const thinking = { model: `${model}-thinking`, messages: HI };
    const thought = 'The question is clear, so a short answer will do.';
    const { message } = (await client.chat.completions.create(thinking)).choices[0];
    assert.deepEqual([message.reasoning_content, message.content], [thought, SAID]);
    const chunks = await collect(await client.chat.completions.create({ ...thinking, stream: true }));
    assert.equal(chunks.map((chunk) => chunk.choices[0].delta.reasoning_content ?? '').join(''), thought);
    assert.equal(content(chunks), SAID);
  });
}
