"""Tells of calls for some seconds by OpenTelemetry's SDK, which exports them by the settings of its
environment. Prints the ids of the calls that its exporter has given up.

Usage: outage.py SECONDS
"""

import sys
import time

import telemetry
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

PAUSE = 0.05
export = OTLPSpanExporter.export


def watched(self, spans):
    result = export(self, spans)
    if result is not SpanExportResult.SUCCESS:
        print("given up", *(span.attributes["gen_ai.response.id"] for span in spans), flush=True)
    return result


OTLPSpanExporter.export = watched
tracer = telemetry.provider.get_tracer("outage")
end, number = time.monotonic() + float(sys.argv[1]), 0
while time.monotonic() < end:
    with tracer.start_as_current_span("chat gpt-4o") as span:
        span.set_attribute("gen_ai.operation.name", "chat")
        span.set_attribute("gen_ai.provider.name", "openai")
        span.set_attribute("gen_ai.response.model", "gpt-4o-2024-08-06")
        span.set_attribute("gen_ai.response.id", f"call-{number}")
        span.set_attribute("gen_ai.usage.input_tokens", 10)
    number += 1
    time.sleep(PAUSE)
telemetry.provider.shutdown()
print("made", number, flush=True)
