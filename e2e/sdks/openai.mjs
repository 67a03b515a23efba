// Ask once by the OpenAI SDK, streaming: `node openai.mjs URL chat|responses BODY`. Prints what came, as JSON.

import { createRequire } from "node:module";

const { default: OpenAI } = createRequire(`${process.env.E2E_CLIENTS}/`)("openai");

const [url, api, body] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "anything", maxRetries: 0, timeout: 30_000 });
const told = { text: [] };
try {
  if (api === "chat") {
    const stream = client.chat.completions.stream(JSON.parse(body));
    stream.on("content", (piece) => told.text.push(piece));
    told.answer = await stream.finalChatCompletion();
  } else {
    const stream = client.responses.stream(JSON.parse(body));
    stream.on("response.output_text.delta", (event) => told.text.push(event.delta));
    told.answer = await stream.finalResponse();
  }
} catch (error) {
  told.error = { name: error.constructor.name, status: error.status, message: error.message };
}
console.log(JSON.stringify(told));
