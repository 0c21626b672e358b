"""Random calls and what they cost by LiteLLM: litellm_calls.py SEED CALLS. The first line is the path of its table; each other
is a JSON object. Costs are floats, so that they are near."""

import json
import os
import random
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from litellm.litellm_core_utils.llm_cost_calc.utils import generic_cost_per_token
from litellm.types.utils import CompletionTokensDetailsWrapper, PromptTokensDetailsWrapper, Usage

TABLE = os.path.join(os.path.dirname(litellm.__file__), "model_prices_and_context_window_backup.json")
MODES = ("chat", "completion", "embedding", "responses")
# Models of which a price is not in a field for a token.
OTHERWISE = ("tiered_pricing", "off_peak_pricing")


def usable(model):
    """Whether the model is priced by tokens that are told."""
    return (
        model.get("mode") in MODES
        and model.get("litellm_provider")
        and model.get("input_cost_per_token")
        and not any(field in model for field in OTHERWISE)
    )


def tokens_of(dice, model):
    """Tokens of kinds of which the model has a rate."""
    size = dice.choice([10, 1_000, 100_000, 250_000])
    part = lambda field: dice.randrange(size) if model.get(field) and dice.random() < 0.7 else 0
    uncached, read = dice.randrange(size), part("cache_read_input_token_cost")
    written = part("cache_creation_input_token_cost")
    text, reasoning = part("output_cost_per_token"), part("output_cost_per_reasoning_token")
    return {
        "input": uncached + read + written,
        "cached_input": read,
        "cache_write": written,
        "output": text + reasoning,
        "reasoning": reasoning,
    }


def usage_of(tokens):
    """The same as LiteLLM has it."""
    return Usage(
        prompt_tokens=tokens["input"],
        completion_tokens=tokens["output"],
        total_tokens=tokens["input"] + tokens["output"],
        prompt_tokens_details=PromptTokensDetailsWrapper(
            cached_tokens=tokens["cached_input"],
            cache_creation_tokens=tokens["cache_write"],
            text_tokens=tokens["input"] - tokens["cached_input"] - tokens["cache_write"],
        ),
        completion_tokens_details=CompletionTokensDetailsWrapper(
            reasoning_tokens=tokens["reasoning"], text_tokens=tokens["output"] - tokens["reasoning"]
        ),
    )


def main():
    dice, calls = random.Random(int(sys.argv[1])), int(sys.argv[2])
    print(TABLE)
    with open(TABLE) as file:
        models = {name: model for name, model in json.load(file).items() if usable(model)}
    for name in dice.sample(sorted(models), min(calls, len(models))):
        model = models[name]
        provider, tokens = model["litellm_provider"], tokens_of(dice, model)
        tiers = [tier for tier in ("flex", "priority") if f"input_cost_per_token_{tier}" in model]
        tier = dice.choice([None, *tiers])
        try:
            cost = sum(generic_cost_per_token(name, usage_of(tokens), provider, tier))
        except Exception as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        call = {"provider": provider, "model": name, "tokens": tokens, "tier": tier}
        print(json.dumps(call | {"cost": repr(cost)}))


main()
