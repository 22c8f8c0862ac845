// Embeddings from a hosted provider and from the model on this machine; and the models that a key may use.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import OpenAI from 'openai';
import { LIMITED_KEY, URL, client } from './gateway.mjs';

const HOSTED = 'text-embedding-3-small';
const LOCAL = 'all-minilm-l6-v2';

function distance(one, other) {
  assert.equal(one.length, other.length);
  return Math.max(...one.map((value, index) => Math.abs(value - other[index])));
}

for (const [model, size] of [[HOSTED, 1536], [LOCAL, 384]]) {
  test(`base64, which is the default, and float give the same vector of ${model}`, async () => {
    const byDefault = await client.embeddings.create({ model, input: 'Hello' });
    const asFloats = await client.embeddings.create({ model, input: 'Hello', encoding_format: 'float' });
    assert.equal(byDefault.data[0].embedding.length, size);
    assert.ok(distance(byDefault.data[0].embedding, asFloats.data[0].embedding) < 1e-6);
    assert.ok(byDefault.usage.prompt_tokens > 0);
  });
}

for (const [model, size] of [[HOSTED, 1536], [LOCAL, 384]]) {
  test(`fewer dimensions of ${model}`, async () => {
    const answer = await client.embeddings.create({ model, input: 'Hello', dimensions: 256 });
    assert.equal(answer.data[0].embedding.length, 256);
  });

  test(`more dimensions than ${model} has are refused`, async () => {
    const refused = client.embeddings.create({ model, input: 'Hello', dimensions: size + 1 });
    await assert.rejects(refused, (error) => error instanceof OpenAI.BadRequestError && error.param === 'dimensions');
  });
}

test('the local model gives the reference vectors', async () => {
  const cases = JSON.parse(await readFile(process.env.WEIR_REFERENCE, 'utf8'));
  for (const encoding_format of [undefined, 'float', 'base64']) {
    const input = cases.map(({ text }) => text);
    const { data } = await client.embeddings.create({ model: LOCAL, input, encoding_format });
    for (const [index, { embedding }] of cases.entries()) {
      // Asked for by name, base64 is left to the caller.
      const got = data[index].embedding;
      const bytes = typeof got === 'string' && Buffer.from(got, 'base64');
      const vector = bytes ? Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4)) : got;
      assert.ok(distance(vector, embedding) < 1e-4);
    }
  }
});

test('models are listed and retrieved', async () => {
  const models = (await client.models.list()).data;
  assert.equal(models.find(({ id }) => id === 'assistant').owned_by, 'example');
  assert.equal((await client.models.retrieve('assistant')).id, 'assistant');
  await assert.rejects(client.models.retrieve('nobody'), OpenAI.NotFoundError);
});

test('a limited key sees what it may use', async () => {
  const limited = new OpenAI({ baseURL: URL, apiKey: LIMITED_KEY });
  assert.deepEqual((await limited.models.list()).data.map(({ id }) => id), ['gpt-4o-mini']);
});
