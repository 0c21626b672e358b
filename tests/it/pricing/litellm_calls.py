"""Random calls and what they cost by LiteLLM: litellm_calls.py SEED CALLS. The first line is the path of its table; each other
is a JSON object. Costs are floats, so that they are near. Half of the calls are of models that have more than two prices, and
a third of those with tiers have as much input as one begins with, or one token more."""

import json
import os
import random
import re
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from litellm.litellm_core_utils.llm_cost_calc.utils import generic_cost_per_token
from litellm.types.utils import (
    CacheCreationTokenDetails,
    CompletionTokensDetailsWrapper,
    PromptTokensDetailsWrapper,
    Usage,
)

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


def tiers_of(model):
    """The input above which a tier begins."""
    names = (re.search(r"_above_(\d+)k_tokens", name) for name in model)
    return sorted({int(found[1]) * 1_000 for found in names if found})


def tokens_of(dice, model):
    """Tokens of kinds of which the model has a rate."""
    size = dice.choice([10, 1_000, 100_000, 250_000])
    part = lambda field: dice.randrange(size) if model.get(field) and dice.random() < 0.7 else 0
    uncached, read = dice.randrange(size), part("cache_read_input_token_cost")
    written, hour = part("cache_creation_input_token_cost"), part("cache_creation_input_token_cost_above_1hr")
    audio, spoken = part("input_cost_per_audio_token"), part("output_cost_per_audio_token")
    text, reasoning = part("output_cost_per_token"), part("output_cost_per_reasoning_token")
    whole = uncached + read + written + hour + audio
    tiers = tiers_of(model)
    if tiers and dice.random() < 1 / 3:
        # Parts keep their sizes, and what is neither cached nor written makes up the rest.
        whole = max(whole - uncached, dice.choice(tiers) + dice.randrange(2))
    return {
        "input": whole,
        "cached_input": read,
        "cache_write": written + hour,
        "cache_write_1h": hour,
        "input_audio": audio,
        "output": text + reasoning + spoken,
        "reasoning": reasoning,
        "output_audio": spoken,
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
            cache_creation_token_details=CacheCreationTokenDetails(
                ephemeral_5m_input_tokens=tokens["cache_write"] - tokens["cache_write_1h"],
                ephemeral_1h_input_tokens=tokens["cache_write_1h"],
            ),
            audio_tokens=tokens["input_audio"],
            text_tokens=tokens["input"] - tokens["cached_input"] - tokens["cache_write"] - tokens["input_audio"],
        ),
        completion_tokens_details=CompletionTokensDetailsWrapper(
            reasoning_tokens=tokens["reasoning"],
            audio_tokens=tokens["output_audio"],
            text_tokens=tokens["output"] - tokens["reasoning"] - tokens["output_audio"],
        ),
    )


def main():
    dice, calls = random.Random(int(sys.argv[1])), int(sys.argv[2])
    print(TABLE)
    with open(TABLE) as file:
        models = {name: model for name, model in json.load(file).items() if usable(model)}
    rich = sorted(name for name, model in models.items() if sum("_cost_per_" in field for field in model) > 2)
    names = dice.sample(rich, min(calls // 2, len(rich)))
    rest = sorted(set(models) - set(names))
    for name in names + dice.sample(rest, min(calls - len(names), len(rest))):
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
