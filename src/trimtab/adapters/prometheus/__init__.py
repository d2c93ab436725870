"""Checks that ask Prometheus, or anything that answers its HTTP API (ports.metrics.Metrics)."""

from trimtab.adapters.prometheus.metrics import PrometheusMetrics, Server

__all__ = ["PrometheusMetrics", "Server"]
