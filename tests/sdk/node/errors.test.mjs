// Errors throw the classes that OpenAI's own do. The last target is asked once more after what passes; the SDK may repeat that too.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { HI, KEY, LIMITED_KEY, PATHS, URL, asked, client, collect, fails } from './gateway.mjs';

const WAYS = [{}, { stream: true }];
const withKey = (apiKey, more) => new OpenAI({ baseURL: URL, apiKey, ...more });
const once = withKey(KEY, { maxRetries: 0 });
const ask = (by, model, more) => by.chat.completions.create({ model, messages: HI, ...more });

async function refused(kind, status, code, promise) {
  const error = await promise.then(
    () => assert.fail('it was answered'),
    (error) => error,
  );
  assert.deepEqual([error.constructor, error.status, error.code], [kind, status, code], error);
  assert.ok(error.requestID && error.type);
  return error;
}

test('a key that may not use a model', async () => {
  for (const way of WAYS) {
    const call = ask(withKey(LIMITED_KEY), 'claude-sonnet-4-5', way);
    await refused(OpenAI.PermissionDeniedError, 403, 'model_not_allowed', call);
  }
});

test('a model that does not exist', async () => {
  for (const way of WAYS) await refused(OpenAI.NotFoundError, 404, 'model_not_found', ask(client, 'nobody', way));
});

test('a body that is too large', async () => {
  const call = client.embeddings.create({ model: 'all-minilm-l6-v2', input: 'long '.repeat(1 << 20) });
  await refused(OpenAI.APIError, 413, 'request_too_large', call);
});

for (const { model, failing } of PATHS) {
  test(`a wrong key for ${model}`, async () => {
    for (const way of WAYS) {
      const call = ask(withKey('weir-nobody-has-this-key'), model, way);
      await refused(OpenAI.AuthenticationError, 401, 'invalid_api_key', call);
    }
  });

  test(`a prompt that is too long for ${model}`, async () => {
    const code = 'context_length_exceeded';
    for (const way of WAYS) {
      await refused(OpenAI.BadRequestError, 400, code, ask(client, failing('context-length'), way));
    }
  });

  test(`a provider of ${model} that is down is asked once more`, async () => {
    for (const [fault, way] of [['500', {}], ['503', { stream: true }]]) {
      const call = ask(once, failing(fault), way);
      await refused(OpenAI.InternalServerError, 503, 'upstream_unavailable', call);
      assert.equal((await asked(`fault-${fault}+${failing(fault)}`)).length, 2);
    }
  });

  test(`of two providers of ${model} that are down the last is asked once more`, async () => {
    await refused(OpenAI.InternalServerError, 503, 'upstream_unavailable', ask(once, failing('down')));
    for (const [name, times] of [['first', 1], ['second', 2]]) {
      assert.equal((await asked(`fault-503+${name}+${failing('down')}`)).length, times);
    }
  });

  test(`a key of ours that the provider of ${model} refuses does not blame the caller's`, async () => {
    await refused(OpenAI.InternalServerError, 502, 'upstream_auth', ask(client, failing('401')));
    assert.equal((await asked(`fault-401+${failing('401')}`)).length, 1);
  });

  test(`a provider of ${model} that limits without saying for how long`, async () => {
    await refused(OpenAI.RateLimitError, 429, 'rate_limited', ask(once, failing('429')));
    assert.equal((await asked(`fault-429+${failing('429')}`)).length, 2);
  });

  test(`a provider of ${model} that limits for a second is asked again after it`, async () => {
    const upstream = `${model}+${failing('pause')}`;
    await fails(upstream, '429-retry-1', 1);
    assert.ok((await ask(client, failing('pause'))).choices[0].message.content);
    assert.equal((await asked(upstream)).length, 2);
  });

  test(`without retries a limit of ${model} is told with its end`, async () => {
    const error = await refused(
      OpenAI.RateLimitError,
      429,
      'rate_limited',
      ask(withKey(KEY, { maxRetries: 0 }), failing('429-retry-7')),
    );
    assert.ok(Number(error.headers.get('retry-after')) <= 7);
  });

  test(`a stream that the provider of ${model} breaks off throws`, async () => {
    for (const fault of ['error-event-late', 'cut']) {
      const stream = await ask(client, failing(fault), { stream: true });
      await assert.rejects(
        collect(stream),
        (error) => error instanceof OpenAI.APIError && error.code === 'stream_incomplete',
      );
    }
  });

  test(`a stream of ${model} whose connection breaks throws`, async () => {
    const stream = await ask(client, failing('break'), { stream: true });
    await assert.rejects(collect(stream));
  });
}
