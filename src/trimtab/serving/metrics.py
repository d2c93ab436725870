"""The server's own figures at /metrics, beside KServe's."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from trimtab.serving.lookup import Lookup
from trimtab.serving.service import Service


class ServiceMetrics(Collector):
    """Reads plain integers when Prometheus asks, so that a request pays nothing for it."""

    def __init__(self, service: Service, lookup: Lookup) -> None:
        self._service = service
        self._lookup = lookup

    def collect(self) -> Iterable[Metric]:
        service = self._service
        labels = {"model_name": service.model_name, "revision": service.revision}
        names, values = list(labels), list(labels.values())
        requests = CounterMetricFamily(
            "trimtab_requests", "Prediction requests answered, by HTTP status.", labels=[*names, "status"]
        )
        for status, count in sorted(service.statuses.items()):
            requests.add_metric([*values, str(status)], count)
        yield requests
        log = service.payloads
        for name, text, value in (
            ("trimtab_request_seconds", "Time spent in answering prediction requests.", service.seconds),
            ("trimtab_predictions", "Rows predicted.", service.predictions),
            ("trimtab_explanations", "Rows explained.", service.explanations),
            ("trimtab_warmups", "Warm-up requests, which are counted nowhere else.", service.warmups),
            ("trimtab_logged", "Inference events that the sink took.", log.logged if log else 0),
            ("trimtab_dropped", "Inference events that were given up.", log.dropped if log else 0),
        ):
            family = CounterMetricFamily(name, text, labels=names)
            family.add_metric(values, value)
            yield family
        waiting = GaugeMetricFamily(
            "trimtab_log_in_flight", "Inference events queued or on their way.", labels=names
        )
        waiting.add_metric(values, log.in_flight if log else 0)
        yield waiting
        missing = CounterMetricFamily(
            "trimtab_online_missing",
            "Keys that found nothing in the online store.",
            labels=[*names, "view", "key"],
        )
        for view, count in self._lookup.null_keys.items():
            missing.add_metric([*values, view, "null"], count)
        for view, count in self._lookup.unknown_keys.items():
            missing.add_metric([*values, view, "unknown"], count)
        yield missing
