"""Calls a provider three times by OpenAI's library, under an instrumentation, and exports the spans by
OpenTelemetry's SDK with the settings of its environment.

Usage: sdk.py openllmetry|openinference PROVIDER-URL
"""

import os
import sys

import openai
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

instrumentation, url = sys.argv[1:]
if os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
if instrumentation == "openllmetry":
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor
else:
    from openinference.instrumentation.openai import OpenAIInstrumentor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
OpenAIInstrumentor().instrument(tracer_provider=provider)
client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
for _ in range(3):
    question = [{"role": "user", "content": "a secret that was said"}]
    client.chat.completions.create(model="gpt-4o", messages=question)
provider.shutdown()
