"""Calls a provider by OpenAI's library four times: a chat, whole and in pieces, a response, and an
embedding. `telemetry` is what a page of the documents shows.

Usage: openai_calls.py PROVIDER-URL
"""

import sys

import openai
import telemetry

client = openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="none")
secret = "a secret that was said"
question = [{"role": "user", "content": secret}]
client.chat.completions.create(model="gpt-4o", messages=question)
usage = {"include_usage": True}
for _ in client.chat.completions.create(model="gpt-4o", messages=question, stream=True, stream_options=usage):
    pass
client.responses.create(model="gpt-5-codex", input=secret)
client.embeddings.create(model="text-embedding-3-small", input=secret)
telemetry.provider.shutdown()
