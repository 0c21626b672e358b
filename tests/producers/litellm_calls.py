"""Calls a provider by LiteLLM's SDK, whole and in pieces. `callback` is what a page of the documents
shows.

Usage: litellm_calls.py PROVIDER-URL
"""

import asyncio
import sys

import callback
import litellm

# Its callback sends what it has every five seconds, and loses what comes while it sends.
SENT = 8
question = [{"role": "user", "content": "a secret that was said"}]


async def main():
    url = sys.argv[1]
    await litellm.acompletion("openai/gpt-4o", question, api_base=f"{url}/v1", api_key="none")
    await asyncio.sleep(SENT)
    claude = {"api_base": url, "api_key": "none", "stream": True}
    async for _ in await litellm.acompletion("anthropic/claude-sonnet-4-5", question, **claude):
        pass
    await asyncio.sleep(SENT)


assert callback
asyncio.run(main())
