// Ask once by the Anthropic SDK, streaming: `node anthropic.mjs URL BODY`. Prints what came, as JSON.

import { createRequire } from "node:module";

const { default: Anthropic } = createRequire(`${process.env.E2E_CLIENTS}/`)("@anthropic-ai/sdk");

const [url, body] = process.argv.slice(2);
const client = new Anthropic({ baseURL: url, apiKey: "anything", maxRetries: 0, timeout: 30_000 });
const told = { text: [], thinking: [], json: [] };
try {
  const stream = client.messages.stream(JSON.parse(body));
  stream.on("text", (piece) => told.text.push(piece));
  stream.on("thinking", (piece) => told.thinking.push(piece));
  stream.on("inputJson", (piece) => told.json.push(piece));
  told.message = await stream.finalMessage();
} catch (error) {
  told.error = { name: error.constructor.name, status: error.status, message: error.message };
}
console.log(JSON.stringify(told));
