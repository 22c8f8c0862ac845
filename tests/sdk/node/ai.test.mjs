// Vercel's AI SDK: it takes the gateway for OpenAI (Responses or chat completions) or for Anthropic.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { APICallError, Output, embedMany, generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { KEY, SAID, URL, collect, pathsOf } from './gateway.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;

const openai = createOpenAI({ baseURL: URL, apiKey: KEY });
const anthropic = createAnthropic({ baseURL: URL, apiKey: KEY });
const WAYS = { responses: openai.responses, chat: openai.chat, messages: anthropic };
const Weather = z.object({ city: z.string(), days: z.number().int() });

for (const [way, as] of Object.entries(WAYS)) {
  for (const { model, failing } of pathsOf('node-ai')) {
    const asking = (more) => ({ model: as(model), prompt: 'Hi', maxRetries: 0, ...more });

    test(`by ${way}, ${model} is asked`, async () => {
      const { text, finishReason, usage } = await generateText(asking({ system: 'Be brief.' }));
      assert.deepEqual([text, finishReason], [SAID, 'stop']);
      assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0);
    });

    test(`by ${way}, ${model} streams`, async () => {
      const { textStream, usage, finishReason } = streamText(asking());
      const words = await collect(textStream);
      assert.ok(words.length > 1);
      assert.deepEqual([words.join(''), await finishReason], [SAID, 'stop']);
      const whole = await generateText(asking());
      assert.equal((await usage).outputTokens, whole.usage.outputTokens);
    });

    test(`by ${way}, a tool is run for ${model}, whole and streamed`, async () => {
      for (const ask of [generateText, streamText]) {
        const heard = [];
        const weather = tool({
          description: 'Tells it',
          inputSchema: Weather,
          execute: ({ city }) => (heard.push(city), 'hail'),
        });
        const answer = await ask(asking({ prompt: 'The weather?', tools: { weather }, stopWhen: stepCountIs(3) }));
        assert.ok((await answer.text).includes('hail'));
        assert.equal(heard.length, 1);
        assert.equal((await answer.steps).length, 2);
      }
    });

    test(`by ${way}, an answer of ${model} follows a schema`, async () => {
      const { output } = await generateText(asking({ output: Output.object({ schema: Weather }) }));
      assert.ok(Weather.safeParse(output).success);
    });

    test(`by ${way}, the thinking of ${model}`, async () => {
      // The chat completions of OpenAI itself have no place for it.
      if (way === 'chat') return;
      const { text, reasoningText } = await generateText(asking({ model: as(`${model}-thinking`) }));
      assert.deepEqual([text, reasoningText], [SAID, 'The question is clear, so a short answer will do.']);
    });

    test(`by ${way}, errors of ${model} say whether to try again`, async () => {
      for (const [fault, status] of [['context-length', 400], ['429', 429], ['503', 503]]) {
        await assert.rejects(generateText(asking({ model: as(failing(fault)) })), (error) => {
          assert.ok(APICallError.isInstance(error), error);
          return error.statusCode === status && error.isRetryable === status > 400;
        });
      }
    });
  }
}

test('vectors', async () => {
  const model = openai.embedding('text-embedding-3-small');
  const { embeddings, usage } = await embedMany({ model, values: ['Hello', 'Bye'], maxRetries: 0 });
  assert.deepEqual(embeddings.map(({ length }) => length), [1536, 1536]);
  assert.ok(usage.tokens > 0);
});
