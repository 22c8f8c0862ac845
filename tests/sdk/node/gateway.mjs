// The gateway under test, as the Rust test that started it describes it in the environment.

import OpenAI from 'openai';

export const URL = process.env.WEIR_URL;
export const KEY = process.env.WEIR_KEY;
// May use gpt-4o-mini only.
export const LIMITED_KEY = process.env.WEIR_LIMITED_KEY;

export const client = new OpenAI({ baseURL: URL, apiKey: KEY });
export const HI = [{ role: 'user', content: 'Hi' }];
export const SAID = 'You said "Hi", and that is what I heard.';

// The ways through the gateway: to a provider that speaks OpenAI, and to one that speaks Anthropic.
export const pathsOf = (sdk) =>
  ['gpt-4o-mini', 'claude-sonnet-4-5'].map((model) => ({
    model,
    // A model that fails so, used by the tests of this SDK alone.
    failing: (fault) => `${sdk}-${model}-${fault}`,
  }));
export const PATHS = pathsOf('node');

const SIMULATOR = process.env.WEIR_SIMULATOR;
const TOKEN = { authorization: `Bearer ${process.env.WEIR_SIM_TOKEN}` };

// The requests that the provider has received for this model, oldest first.
export async function asked(model) {
  const requests = await (await fetch(`${SIMULATOR}/_sim/requests`, { headers: TOKEN })).json();
  const bodies = requests.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body || '{}'));
  return bodies.filter((body) => body.model === model);
}

// Makes the next requests for this model fail.
export async function fails(model, fault, times) {
  await fetch(`${SIMULATOR}/_sim/faults`, { method: 'PUT', body: JSON.stringify({ [model]: { fault, times } }) });
}

export async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

export const content = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
