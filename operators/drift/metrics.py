"""What Prometheus may ask of the operator."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from operators.drift.runtime import Call
from trimtab.api.monitor import MonitorStatus
from trimtab.api.retrain import RetrainStatus
from trimtab.api.rollout_status import RolloutStatus

_ABOUT: Final = ("namespace", "name")
_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
VERDICTS: Final = ("Pass", "Inconclusive", "Fail")


class Metrics:
    """One registry a process. prometheus_client's own locks make it safe for threads.

    A series of a resource goes when the resource does.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self._looks = Counter(
            "trimtab_reconciles",
            "Looks at a resource, by what came of them",
            ["kind", "result"],
            registry=registry,
        )
        self._seconds = Histogram(
            "trimtab_reconcile_seconds",
            "How long a look took",
            ["kind"],
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self._verdict = Gauge(
            "trimtab_check_verdict",
            "1 for the verdict that a check holds",
            [*_ABOUT, "check", "verdict"],
            registry=registry,
        )
        self._traffic = Gauge(
            "trimtab_traffic_percent",
            "Share of requests, as seen on the route",
            [*_ABOUT, "role"],
            registry=registry,
        )
        self._phase = Gauge(
            "trimtab_rollout_phase", "1 for the phase of a rollout", [*_ABOUT, "phase"], registry=registry
        )
        self._stalled = Gauge(
            "trimtab_rollout_stalled", "1 while a person is needed", list(_ABOUT), registry=registry
        )
        self._drift = Gauge(
            "trimtab_drift",
            "A feature's drift in the latest window",
            [*_ABOUT, "column", "measure"],
            registry=registry,
        )
        self._drop = Gauge(
            "trimtab_skill_drop_nats", "Skill lost against the reference", list(_ABOUT), registry=registry
        )
        self._episodes = Gauge(
            "trimtab_open_episodes", "Open episodes", [*_ABOUT, "cause"], registry=registry
        )
        self._runs = Gauge(
            "trimtab_runs",
            "Runs that a policy remembers, by outcome",
            [*_ABOUT, "outcome"],
            registry=registry,
        )
        self._depth = Gauge(
            "trimtab_queue_depth", "Resources that wait for a look", ["kind"], registry=registry
        )
        self._calls = Counter(
            "trimtab_api_calls",
            "Calls of the API server",
            ["verb", "resource", "subresource", "code"],
            registry=registry,
        )
        self._call_seconds = Histogram(
            "trimtab_api_call_seconds", "How long they took", ["verb"], buckets=_BUCKETS_S, registry=registry
        )
        self._leading = Gauge("trimtab_leading", "1 while this replica holds the lease", registry=registry)
        self._objects = Gauge(
            "trimtab_cached_objects", "Objects held in memory", ["resource"], registry=registry
        )

    def looked(self, kind: str, result: str, seconds: float) -> None:
        self._looks.labels(kind, result).inc()
        self._seconds.labels(kind).observe(seconds)

    def called(self, call: Call) -> None:
        resource = str(call.resource) if call.resource is not None else ""
        self._calls.labels(call.verb, resource, call.subresource, str(call.status)).inc()
        if call.verb != "watch":
            self._call_seconds.labels(call.verb).observe(call.seconds)

    def depth(self, kind: str, waiting: int) -> None:
        self._depth.labels(kind).set(waiting)

    def cached(self, resource: str, objects: int) -> None:
        self._objects.labels(resource).set(objects)

    def leading(self, leads: bool) -> None:
        self._leading.set(leads)

    def rollout(self, namespace: str, name: str, status: RolloutStatus, mirror_percent: int) -> None:
        about = (namespace, name)
        _drop(about, (self._verdict, self._phase))
        self._phase.labels(*about, status.phase.value).set(1)
        self._stalled.labels(*about).set(bool(status.stalled))
        for check in status.checks:
            self._verdict.labels(*about, check.name, check.verdict).set(1)
        shares = {
            "stable": status.traffic.get(status.stable.revision, 0) if status.stable else 0,
            "candidate": status.traffic.get(status.candidate.revision, 0) if status.candidate else 0,
            "mirror": mirror_percent,
        }
        for role, percent in shares.items():
            self._traffic.labels(*about, role).set(percent)

    def monitor(self, namespace: str, name: str, status: MonitorStatus) -> None:
        about = (namespace, name)
        _drop(about, (self._drift,))
        for column in status.worst:
            if column.value is not None:
                self._drift.labels(*about, column.column, column.measure).set(column.value)
        if status.skill.drop is not None:
            self._drop.labels(*about).set(status.skill.drop)
        for cause in ("performance", "drift"):
            self._episodes.labels(*about, cause).set(status.open_episode(cause) is not None)

    def policy(self, namespace: str, name: str, status: RetrainStatus) -> None:
        about = (namespace, name)
        _drop(about, (self._runs,))
        for attempt in status.attempts:
            self._runs.labels(*about, attempt.outcome.value).inc()

    def forget(self, namespace: str, name: str, kind: str) -> None:
        """The resource is gone, and so are its series."""
        of_kind = {
            "ModelRollout": (self._verdict, self._traffic, self._phase, self._stalled),
            "DriftMonitor": (self._drift, self._drop, self._episodes),
            "RetrainPolicy": (self._runs,),
        }
        _drop((namespace, name), of_kind[kind])

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


def _drop(about: tuple[str, str], gauges: Iterable[Gauge]) -> None:
    for gauge in gauges:
        gauge.remove_by_labels({"namespace": about[0], "name": about[1]})
