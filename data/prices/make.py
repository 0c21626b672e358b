#!/usr/bin/env python3
"""Writes what the package genai-prices knows as its JSON of version 2, for the providers of the built-in table.

    pip install genai-prices==0.2.3
    python data/prices/make.py > prices.json

A test reads that with the importer that `tokenlake price import` has, and compares it with builtin.json; it says how
to write that file anew. Facts alone are taken: names of models, prices, and when they hold.
"""

import dataclasses
import datetime
import json
import re
import sys

from genai_prices import types
from genai_prices.data import providers

PROVIDERS = [
    "openai", "anthropic", "google", "mistral", "deepseek", "x-ai", "aws", "azure", "groq", "together", "cohere",
]

# Each call is billed for ten seconds at least, which no table can say.
LEFT_OUT = {("groq", "whisper-large-v3"), ("groq", "whisper-large-v3-turbo")}


def clause(match):
    """A condition on names."""
    (field,) = dataclasses.fields(match)
    value = getattr(match, field.name)
    if isinstance(value, list):
        value = [clause(one) for one in value]
    return {field.name.rstrip("_"): value}


def undated(match):
    """The names of a Bedrock model without its date, which Bedrock's own documents use, too."""
    texts = [text for clauses in [clause(match)] for text in texts_of(clauses) if text.startswith(REGIONS)]
    return {re.sub(DATE, "", text) for text in texts if re.search(DATE, text)}


REGIONS = ("anthropic.", "us.", "eu.", "apac.", "au.", "jp.", "in.", "us-gov.", "global.")
DATE = r"-20\d{6}$"


def texts_of(condition):
    """The texts in a condition on names."""
    for value in condition.values():
        if isinstance(value, str):
            yield value
        else:
            for one in value:
                yield from texts_of(one)


def rate(value):
    """A rate, or a rate with tiers. Decimals are written as text, and none becomes a float."""
    if isinstance(value, types.TieredPrices):
        tiers = [{"start": tier.start, "price": str(tier.price)} for tier in value.tiers]
        return {"base": str(value.base), "tiers": tiers}
    return str(value)


def prices(price):
    """The rates of a model at one time."""
    return {key: rate(value) for key, value in sorted(vars(price).items()) if value is not None}


def constraint(condition):
    """When a price holds."""
    if isinstance(condition, types.StartDateConstraint):
        return {"start_date": condition.start_date.isoformat()}
    utc = [condition.start_time, condition.end_time]
    assert all(time.tzinfo in (None, datetime.timezone.utc) for time in utc), condition
    start, end = (time.replace(tzinfo=None).isoformat() + "Z" for time in utc)
    return {"start_time": start, "end_time": end}


def conditional(one):
    """A price and its condition."""
    made = {"prices": prices(one.prices)}
    if one.constraint is not None:
        made["constraint"] = constraint(one.constraint)
    return made


def variant(one):
    """A price of a context."""
    return {"when": dict(one.when)} | conditional(one)


def model(one):
    """A model."""
    made = {"id": one.id, "match": clause(one.match)}
    if isinstance(one.prices, list):
        made["prices"] = [conditional(price) for price in one.prices]
    else:
        made["prices"] = prices(one.prices)
    if one.price_variants:
        made["price_variants"] = [variant(one) for one in one.price_variants]
    return made


def provider(one):
    """A provider with its models."""
    kept = [each for each in one.models if (one.id, each.id) not in LEFT_OUT]
    models = [model(each) for each in kept]
    if one.id == "aws":
        others = [undated(each.match) for each in kept]
        for at, (made, names) in enumerate(zip(models, others)):
            taken = set().union(*others[:at], *others[at + 1 :], (text for each in kept for text in texts_of(clause(each.match))))
            made["match"] = {"or": [made["match"], *({"equals": name} for name in sorted(names - taken))]}
    made = {"id": one.id, "models": models}
    others = [other for other in one.fallback_model_providers or [] if other in PROVIDERS]
    return made | ({"fallback_model_providers": others} if others else {})


def main():
    wanted = sys.argv[1:] or PROVIDERS
    every = {one.id: one for one in providers}
    wanted = list(every) if wanted == ["all"] else wanted
    json.dump([provider(every[name]) for name in wanted], sys.stdout, indent=1)
    print()


main()
