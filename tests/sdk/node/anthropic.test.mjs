// Anthropic's SDK: messages and their streams, tools that it runs by itself, structured answers, errors, models.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { HI, KEY, SAID, URL, pathsOf } from './gateway.mjs';

const baseURL = URL.replace(/\/v1$/, '');
const anthropic = new Anthropic({ baseURL, apiKey: KEY, maxRetries: 0 });
const WEATHER = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: 'integer' } },
  required: ['city', 'days'],
  additionalProperties: false,
};
const TOOLS = [{ name: 'weather', description: 'Tells it', input_schema: WEATHER }];
const asking = (model, more) => ({ model, max_tokens: 100, messages: HI, ...more });

for (const { model, failing } of pathsOf('node-anthropic')) {
  test(`a message of ${model}`, async () => {
    const answer = await anthropic.messages.create(asking(model, { system: 'Be brief.' }));
    assert.deepEqual([answer.type, answer.role, answer.stop_reason], ['message', 'assistant', 'end_turn']);
    assert.equal(answer.content[0].text, SAID);
    assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
  });

  test(`a stream of ${model}, through the helper`, async () => {
    const words = [];
    const stream = anthropic.messages.stream(asking(model)).on('text', (text) => words.push(text));
    const answer = await stream.finalMessage();
    assert.deepEqual([words.join(''), answer.content[0].text, answer.stop_reason], [SAID, SAID, 'end_turn']);
    const whole = await anthropic.messages.create(asking(model));
    assert.equal(answer.usage.output_tokens, whole.usage.output_tokens);
  });

  test(`many streams of ${model} at once`, async () => {
    const ask = async (_, number) => {
      const messages = [{ role: 'user', content: `number ${number}` }];
      const said = await anthropic.messages.stream(asking(model, { messages })).finalText();
      assert.ok(said.includes(`"number ${number}"`));
    };
    await Promise.all(Array.from({ length: 16 }, ask));
  });

  test(`the input of a tool is streamed by ${model}`, async () => {
    const messages = [{ role: 'user', content: 'The weather?' }];
    const pieces = [];
    const stream = anthropic.messages.stream(asking(model, { messages, tools: TOOLS }));
    stream.on('inputJson', (piece) => pieces.push(piece));
    const answer = await stream.finalMessage();
    const call = answer.content.find(({ type }) => type === 'tool_use');
    assert.equal(answer.stop_reason, 'tool_use');
    assert.deepEqual(Object.keys(call.input).sort(), ['city', 'days']);
    assert.deepEqual(JSON.parse(pieces.join('')), call.input);
  });

  test(`the SDK runs a tool for ${model} by itself`, async () => {
    const heard = [];
    const weather = betaTool({
      name: 'weather',
      description: 'Tells it',
      inputSchema: WEATHER,
      run: ({ city }) => (heard.push(city), 'hail'),
    });
    const messages = [{ role: 'user', content: 'The weather?' }];
    const answer = await anthropic.beta.messages.toolRunner(asking(model, { messages, tools: [weather] }));
    assert.equal(heard.length, 1);
    assert.ok(answer.content.at(-1).text.includes('hail'));
  });

  test(`the thinking of ${model}`, async () => {
    const answer = await anthropic.messages.create(asking(`${model}-thinking`));
    assert.deepEqual(answer.content.map(({ type }) => type), ['thinking', 'text']);
  });

  test(`errors of ${model} are Anthropic's`, async () => {
    const known = [
      ['context-length', Anthropic.BadRequestError, 400],
      ['429', Anthropic.RateLimitError, 429],
      ['503', Anthropic.InternalServerError, 503],
    ];
    for (const [fault, kind, status] of known) {
      for (const stream of [false, true]) {
        const call = anthropic.messages.create(asking(failing(fault), { stream }));
        await assert.rejects(call, (error) => error instanceof kind && error.status === status);
      }
    }
  });

  test(`a stream that the provider of ${model} breaks off throws`, async () => {
    await assert.rejects(anthropic.messages.stream(asking(failing('cut'))).finalMessage(), Anthropic.APIError);
  });
}

test('a wrong key and an unknown model', async () => {
  const nobody = new Anthropic({ baseURL, apiKey: 'weir-nobody-has-this-key', maxRetries: 0 });
  await assert.rejects(nobody.messages.create(asking('gpt-4o-mini')), Anthropic.AuthenticationError);
  await assert.rejects(anthropic.messages.create(asking('nobody')), Anthropic.NotFoundError);
});

test('models are listed, and tokens counted by each provider', async () => {
  const names = [];
  for await (const { id } of anthropic.models.list()) names.push(id);
  assert.ok(names.includes('gpt-4o-mini') && names.includes('claude-sonnet-4-5'));
  for (const model of ['claude-sonnet-4-5', 'gpt-4o-mini']) {
    const { input_tokens } = await anthropic.messages.countTokens({ model, messages: HI });
    assert.ok(input_tokens > 0);
  }
});

for (const { model, failing } of pathsOf('node-anthropic')) {
  const patient = new Anthropic({ baseURL, apiKey: KEY, maxRetries: 2 });

  test(`a rate of Weir's is waited for, ${model}`, async () => {
    const first = await patient.messages.create(asking(failing('rated'))).asResponse();
    assert.equal(first.headers.get('anthropic-ratelimit-requests-remaining'), '0');
    const second = await patient.messages.create(asking(failing('rated')));
    assert.equal(second.content[0].text, SAID);
  });

  test(`a spent budget of Weir's is told at once, ${model}`, async () => {
    await patient.messages.create(asking(failing('spent')));
    await patient.messages.create(asking(failing('spent')));
    const refused = await patient.messages.create(asking(failing('spent'))).catch((error) => error);
    assert.ok(refused instanceof Anthropic.RateLimitError);
    assert.equal(refused.headers.get('x-should-retry'), 'false');
    assert.match(refused.message, /spent/);
  });
}
