"""Traces: one span a look, with the API calls inside it as events; sent by OTLP where an endpoint is set.

OpenTelemetry's own variables say where to and how: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS,
OTEL_SERVICE_NAME. Without an endpoint nothing is imported and nothing costs anything.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
Attributes = Mapping[str, str | int | float | bool]


class Span(Protocol):
    """The part of a span that a look uses."""

    def set_attribute(self, key: str, value: str | int | float | bool) -> None: ...


class _Nothing:
    def set_attribute(self, key: str, value: str | int | float | bool) -> None:
        """There is nobody to tell."""


class Tracing:
    """Spans of this process."""

    def __init__(self, provider: "TracerProvider | None" = None) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("trimtab.drift-operator") if provider is not None else None

    @classmethod
    def from_environment(cls) -> "Tracing":
        """By OpenTelemetry's variables; silent where none names an endpoint."""
        if not any(os.environ.get(name) for name in ENDPOINTS):
            return cls()
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        named = os.environ.get("OTEL_SERVICE_NAME", "trimtab-drift-operator")
        provider = TracerProvider(resource=Resource.create({"service.name": named}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider)

    @contextmanager
    def span(self, name: str, attributes: Attributes) -> Iterator[Span]:
        """Around one piece of work; an exception that leaves it is recorded."""
        if self._tracer is None:
            yield _Nothing()
            return
        with self._tracer.start_as_current_span(name, attributes=attributes) as span:
            yield span

    def close(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()
