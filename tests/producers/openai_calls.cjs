// Calls a provider by OpenAI's library four times: a chat, whole and in pieces, a response, and an
// embedding.
//
// Usage: openai_calls.cjs PROVIDER-URL

const OpenAI = require("openai");

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none" });
const secret = "a secret that was said";
const chat = { model: "gpt-4o", messages: [{ role: "user", content: secret }] };

async function main() {
    await client.chat.completions.create(chat);
    const streamed = { ...chat, stream: true, stream_options: { include_usage: true } };
    for await (const _ of await client.chat.completions.create(streamed)) {
        // What comes is of no interest.
    }
    await client.responses.create({ model: "gpt-5-codex", input: secret });
    await client.embeddings.create({ model: "text-embedding-3-small", input: secret });
}

main();
