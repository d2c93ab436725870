"""What Prometheus may ask of the operator."""

from collections import Counter as Counts
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from operators.drift.runtime import Call
from trimtab.api.monitor import MonitorStatus
from trimtab.api.retrain import Outcome, RetrainStatus
from trimtab.api.rollout_status import RolloutStatus

_ABOUT: Final = ("namespace", "name")
_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
VERDICTS: Final = ("Pass", "Inconclusive", "Fail")


_Series = tuple[Gauge, tuple[str, ...]]
"""A gauge, and its labels after namespace and name."""
_Seen = dict[_Series, float]


class Metrics:
    """One registry a process. prometheus_client's own locks make it safe for threads.

    A series of a resource goes when the resource does.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._shown: dict[tuple[str, str, str], frozenset[_Series]] = {}
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
        self._ended = Gauge(
            "trimtab_run_ended_timestamp_seconds",
            "When the newest run with the outcome ended, since 1970; 0 for none that is remembered",
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
            "trimtab_api_call_seconds",
            "How long calls of the API server took, watches left out",
            ["verb"],
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self._hanging = Gauge(
            "trimtab_provider_hangs",
            "1 while a server takes calls and does not answer them",
            ["kind", "provider"],
            registry=registry,
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

    def hangs(self, kind: str, provider: str, hangs: bool) -> None:
        self._hanging.labels(kind, provider).set(hangs)

    def leading(self, leads: bool) -> None:
        self._leading.set(leads)

    def rollout(self, namespace: str, name: str, status: RolloutStatus, mirror_percent: int) -> None:
        shares = {
            "stable": status.traffic.get(status.stable.revision, 0) if status.stable else 0,
            "candidate": status.traffic.get(status.candidate.revision, 0) if status.candidate else 0,
            "mirror": mirror_percent,
        }
        seen: _Seen = {(self._phase, (status.phase.value,)): 1, (self._stalled, ()): bool(status.stalled)}
        seen |= {(self._verdict, (check.name, check.verdict)): 1 for check in status.checks}
        seen |= {(self._traffic, (role,)): percent for role, percent in shares.items()}
        self._show("ModelRollout", namespace, name, seen)

    def monitor(self, namespace: str, name: str, status: MonitorStatus) -> None:
        seen: _Seen = {
            (self._drift, (column.column, column.measure)): column.value
            for column in status.worst
            if column.value is not None
        }
        if status.skill.drop is not None:
            seen[self._drop, ()] = status.skill.drop
        for cause in ("performance", "drift"):
            seen[self._episodes, (cause,)] = status.open_episode(cause) is not None
        self._show("DriftMonitor", namespace, name, seen)

    def policy(self, namespace: str, name: str, status: RetrainStatus) -> None:
        """Each outcome has its series from the first look on, so that the first run of an outcome is a change, and not
        a series that begins. An end is told as a time: memory is bounded, so that a count of failures need not grow
        with one, and a new leader tells the same."""
        outcomes = Counts(attempt.outcome for attempt in status.attempts)
        seen: _Seen = {(self._runs, (outcome.value,)): outcomes[outcome] for outcome in Outcome}
        seen |= {
            (self._ended, (outcome.value,)): max(_ends(status, outcome), default=0.0)
            for outcome in Outcome
            if outcome is not Outcome.RUNNING
        }
        self._show("RetrainPolicy", namespace, name, seen)

    def forget(self, namespace: str, name: str, kind: str) -> None:
        """The resource is gone, and so are its series."""
        self._show(kind, namespace, name, {})
        self._shown.pop((kind, namespace, name), None)

    def _show(self, kind: str, namespace: str, name: str, seen: _Seen) -> None:
        """These are a resource's series now. Those that it no longer has are known by name: a gauge that is asked for
        them goes through the series of all resources."""
        key = kind, namespace, name
        for (gauge, labels), value in seen.items():
            gauge.labels(namespace, name, *labels).set(value)
        for gauge, labels in self._shown.get(key, frozenset()) - seen.keys():
            gauge.remove(namespace, name, *labels)
        self._shown[key] = frozenset(seen)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


def _ends(status: RetrainStatus, outcome: Outcome) -> Iterator[float]:
    """When the runs with an outcome ended, in seconds since 1970."""
    for attempt in status.history:
        if attempt.outcome is outcome and attempt.ended_at is not None:
            yield attempt.ended_at.timestamp()
