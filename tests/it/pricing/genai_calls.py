"""Random calls and what they cost by genai-prices, one JSON object a line: genai_calls.py SEED CALLS PROVIDER…

A field "why" tells the rule by which tokenlake differs where it does:
  context  the context is not the standard one, and no variant in force is for exactly it
  rate     there are tokens for which the model has no rate, or units alone have prices
"""

import datetime
import json
import random
import sys
from decimal import Decimal

from genai_prices import Usage, types
from genai_prices.data import providers

UTC = datetime.timezone.utc
CONTEXTS = [{"service_tier": tier} for tier in ("default", "flex", "priority", "fast", "scale")]
CONTEXTS += [{"processing": "batch"}, {"speed": "fast"}]
TOKENS = {
    "cache_read_tokens": "cached_input",
    "cache_write_tokens": "cache_write",
    "cache_write_1h_tokens": "cache_write_1h",
    "input_audio_tokens": "input_audio",
    "cache_audio_read_tokens": "cached_audio",
    "input_image_tokens": "input_image",
    "cache_image_read_tokens": "cached_image",
    "input_video_tokens": "input_video",
    "output_video_tokens": "output_video",
    "output_reasoning_tokens": "reasoning",
    "output_audio_tokens": "output_audio",
    "output_image_tokens": "output_image",
    "input_tokens": "input",
    "output_tokens": "output",
}


def texts(match, how=""):
    """The names in a condition, as calls could have them."""
    if isinstance(match, (types.ClauseOr, types.ClauseAnd)):
        for one in getattr(match, "or_", None) or match.and_:
            yield from texts(one)
    elif isinstance(match, types.ClauseEquals):
        yield match.equals
    elif isinstance(match, types.ClauseStartsWith):
        yield from (match.starts_with, match.starts_with + "-x7", match.starts_with + "-20250101")
    elif isinstance(match, types.ClauseContains):
        yield from (match.contains, match.contains + "-v1:0", match.contains + "@20250101")
    elif isinstance(match, types.ClauseEndsWith):
        yield match.ends_with


def counts(dice):
    """Tokens of a call."""
    size = dice.choice([10, 1_000, 100_000, 150_000])
    part = lambda chance: dice.randrange(size) if dice.random() < chance else 0
    uncached, read, written, hour = part(0.9), part(0.5), part(0.3), part(0.2)
    audio, cached_audio, image, cached_image = part(0.1), part(0.05), part(0.1), part(0.05)
    video, filmed = part(0.05), part(0.05)
    text, reasoning, spoken, drawn = part(0.8), part(0.4), part(0.1), part(0.1)
    return {
        "input_tokens": uncached + read + written + hour + audio + cached_audio + image + cached_image + video,
        "cache_read_tokens": read + cached_audio + cached_image,
        "cache_write_tokens": written + hour,
        "cache_write_1h_tokens": hour,
        "input_audio_tokens": audio + cached_audio,
        "cache_audio_read_tokens": cached_audio,
        "input_image_tokens": image + cached_image,
        "cache_image_read_tokens": cached_image,
        "input_video_tokens": video,
        "output_tokens": text + reasoning + spoken + drawn + filmed,
        "output_video_tokens": filmed,
        "output_reasoning_tokens": reasoning,
        "output_audio_tokens": spoken,
        "output_image_tokens": drawn,
    }


def in_force(variant, at):
    return variant.constraint is None or variant.constraint.active(at)


def why(model, own, price, tokens, context, at):
    """The rule by which tokenlake has no price."""
    special = {key: value for key, value in context.items() if value != "default"}
    variants = (model.price_variants or []) if own else []
    if special and not any(one.when == special and in_force(one, at) for one in variants):
        return "context"
    rates = {key for key, value in vars(price).items() if value is not None}
    known = {key for key in rates if key.endswith("_mtok")}
    if rates and not known:
        return "rate"
    for whole, rate in (("input_tokens", "input_mtok"), ("output_tokens", "output_mtok")):
        if rates and tokens[whole] and rate not in rates:
            return "rate"
    return None


def times(dice):
    """A time, near one at which prices change or anywhere."""
    starts = [datetime.datetime(2026, 10, day, tzinfo=UTC) for day in (12, 14, 15)]
    starts += [datetime.datetime(2025, 6, 10, tzinfo=UTC), datetime.datetime(2026, 8, 17, tzinfo=UTC)]
    if dice.random() < 0.3:
        return dice.choice(starts) + datetime.timedelta(seconds=dice.choice([-1, 0, 1]))
    since = datetime.datetime(2024, 1, 1, tzinfo=UTC)
    return since + datetime.timedelta(seconds=dice.randrange(3 * 365 * 86_400))


def main():
    dice, calls, wanted = random.Random(int(sys.argv[1])), int(sys.argv[2]), sys.argv[3:]
    names = [
        (provider, name.lower())
        for provider in providers
        if provider.id in wanted
        for model in provider.models
        for name in sorted({model.id, *texts(model.match)})
    ]
    for at in range(calls):
        provider, name = names[at] if at < len(names) else dice.choice(names)
        ts, tokens = times(dice), counts(dice)
        context = dice.choice(CONTEXTS) if dice.random() < 0.4 else {}
        model = provider.find_model(name, all_providers=providers)
        call = {"provider": provider.id, "model": name, "at": ts.isoformat(), "context": context}
        call["tokens"] = {TOKENS[key]: count for key, count in tokens.items() if count}
        if model is None:
            print(json.dumps(call | {"why": "none"}))
            continue
        own = any(one is model for one in provider.models)
        price = model.get_prices(ts, context if own else None)
        # What an event does not tell is not told here: video, and seconds.
        cost = price.calc_price(Usage(**tokens))["total_price"]
        owner = next(one.id for one in providers if any(each is model for each in one.models))
        call |= {"rule": f"{owner}/{model.id}", "cost": str(cost.quantize(Decimal("1e-12")))}
        call["why"] = why(model, own, price, tokens, context, ts)
        print(json.dumps(call))


main()
