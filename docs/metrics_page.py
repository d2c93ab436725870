"""docs/reference/metrics.md: what Prometheus may ask of the three processes, from the code that answers it."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Final

HEAD: Final = """<!-- Generated from the operator's, the collector's and the server's metrics.py by `make generate`. -->
# Every metric

Each process has them at `/metrics`, in Prometheus' text format. The chart's alerts and dashboards are made of these
alone. A histogram has a series for each bucket (`_bucket`, label `le`), and `_sum` and `_count`. Prometheus adds
labels of its own, such as `pod`.
"""
TITLES: Final = {
    "operator": "The operator",
    "collector": "The collector of a namespace",
    "server": "trimtab's model server\n\nBeside KServe's own.",
}
HISTOGRAM: Final = ("_bucket", "_sum", "_count")


@dataclass(frozen=True, slots=True)
class Family:
    """
    Attributes:
        name: with the ending of a counter.
        kind: counter, gauge or histogram.
        labels: in the order in which they are told.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def series(self) -> tuple[str, ...]:
        """Names by which a query asks for it."""
        return tuple(self.name + one for one in HISTOGRAM) if self.kind == "histogram" else (self.name,)


def metrics_page() -> str:
    """The page."""
    parts = [HEAD]
    for process, title in TITLES.items():
        rows = [_row(family) for family in families(process)]
        parts.append(
            "\n".join([f"## {title}\n", "| metric | type | labels | meaning |", "|---|---|---|---|", *rows])
            + "\n"
        )
    return "\n".join(parts)


def families(process: str) -> Iterator[Family]:
    """Of `operator`, `collector` or `server`, as it exposes them."""
    return {"operator": _operator, "collector": _collector, "server": _server}[process]()


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    return f"| `{family.name}` | {family.kind} | {labels} | {family.meaning} |"


def _operator() -> Iterator[Family]:
    from operators.drift.metrics import Metrics

    for metric in vars(Metrics()).values():
        if hasattr(metric, "describe"):
            (family,) = metric.describe()
            # What labels a metric has is told by none of its public parts before it has a value.
            yield _family(family.name, family.type, metric._labelnames, family.documentation)


def _collector() -> Iterator[Family]:
    from prometheus_client.parser import text_string_to_metric_families

    from trimtab.collector.event import Inference, Rows
    from trimtab.collector.ledger import Ledger
    from trimtab.collector.log import Log
    from trimtab.collector.metrics import exposition

    ledger = Ledger()
    rows = Rows(ids=["1"], times=[10**15], features={"x": [1.0]}, predictions=[0.5])
    ledger.take(Inference("aaaaaaaa", "pod", "1", 10**15, 200, 2.0, 1, rows))
    with tempfile.TemporaryDirectory() as folder:
        text = exposition(ledger, Log(Path(folder) / "log", lambda: ()), {"disk": 1})
    for family in text_string_to_metric_families(text):
        yield _family(family.name, family.type, tuple(family.samples[0].labels), family.documentation)


def _server() -> Iterator[Family]:
    from trimtab.serving.metrics import ServiceMetrics

    service = SimpleNamespace(
        model_name="m", revision="r", statuses={200: 1}, seconds=1.0, predictions=1, warmups=0, explanations=0,
        payloads=None,
    )  # fmt: skip
    lookup = SimpleNamespace(null_keys={"v": 1}, unknown_keys={"v": 1})
    # Plain integers are all it reads of them.
    for family in ServiceMetrics(service, lookup).collect():  # type: ignore[arg-type]
        yield _family(family.name, family.type, tuple(family.samples[0].labels), family.documentation)


def _family(name: str, kind: str, labels: tuple[str, ...], meaning: str) -> Family:
    ending = "_total" if kind == "counter" else ""
    text = meaning.rstrip(".")
    return Family(name + ending, kind, tuple(labels), text[:1].upper() + text[1:])
