"""Runs pydantic-ai's agents, one of each interface of models. `telemetry` is what a page of the
documents shows.

Usage: pydantic_calls.py PROVIDER-URL
"""

import sys

import telemetry
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

openai = OpenAIProvider(base_url=f"{sys.argv[1]}/v1", api_key="none")
anthropic = AnthropicProvider(base_url=sys.argv[1], api_key="none")
for model in (
    OpenAIChatModel("gpt-4o", provider=openai),
    OpenAIResponsesModel("gpt-5-codex", provider=openai),
    AnthropicModel("claude-sonnet-4-5", provider=anthropic),
):
    Agent(model).run_sync("a secret that was said")
telemetry.provider.shutdown()
