// Calls a provider by Vercel's AI SDK: a chat in pieces, a response, and embeddings of one text and of
// several.
//
// Usage: vercel_calls.mjs PROVIDER-URL

import { createOpenAI } from "@ai-sdk/openai";
import { embed, embedMany, generateText, streamText } from "ai";

const openai = createOpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none" });
const prompt = "a secret that was said";

for await (const _ of streamText({ model: openai.chat("gpt-4o"), prompt }).textStream) {
    // What comes is of no interest.
}
await generateText({ model: openai("gpt-5-codex"), prompt });
const model = openai.embedding("text-embedding-3-small");
await embed({ model, value: prompt });
await embedMany({ model, values: [prompt] });
