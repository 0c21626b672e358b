"""Calls a provider by Anthropic's library twice, once in pieces. `telemetry` is what a page of the
documents shows.

Usage: anthropic_calls.py PROVIDER-URL
"""

import sys

import anthropic
import telemetry

client = anthropic.Anthropic(base_url=sys.argv[1], api_key="none")
question = [{"role": "user", "content": "a secret that was said"}]
client.messages.create(model="claude-sonnet-4-5", max_tokens=64, messages=question)
for _ in client.messages.create(model="claude-sonnet-4-5", max_tokens=64, messages=question, stream=True):
    pass
telemetry.provider.shutdown()
