"""The collector's state as Prometheus reads it (text format 0.0.4)."""

from collections.abc import Iterable, Mapping

from trimtab.collector.ledger import Ledger
from trimtab.collector.log import Log


def exposition(ledger: Ledger, log: Log, refused: Mapping[str, int]) -> str:
    """All metrics; counters of held columns fall when old hours are forgotten, so they are gauges.

    Args:
        refused: events and posts that were not taken, by reason.
    """
    lines: list[str] = []
    totals = {name: revision.requests.totals() for name, revision in ledger.revisions.items()}
    lines += metric("received_total", "counter", "request events taken", "revision", ledger.received.items())
    lines += metric("requests", "gauge", "requests held", "revision", column(totals, 0))
    lines += metric(
        "errors", "gauge", "requests held that were not answered 2xx", "revision", column(totals, 1)
    )
    lines += metric("rows", "gauge", "rows of the requests held", "revision", column(totals, 2))
    lines += metric(
        "coverage", "gauge", "share of answered requests whose rows came", "revision", coverage(ledger)
    )
    lines += metric(
        "unsketched_rows",
        "gauge",
        "rows not kept because the profile has not come",
        "revision",
        ((name, revision.hours.unsketched_rows) for name, revision in ledger.revisions.items()),
    )
    lines += metric("refused_total", "counter", "events and posts not taken", "reason", refused.items())
    singles = {
        "duplicates_total": ("counter", "events that had come before", ledger.duplicates),
        "examples": ("gauge", "examples held", len(ledger.examples)),
        "labels": ("gauge", "labels held", ledger.examples.labels),
        "labels_conflicting_total": (
            "counter",
            "labels that contradict an earlier one",
            ledger.examples.conflicting_labels,
        ),
        "waiting_halves": ("gauge", "agent events that wait for their other side", len(ledger.halves)),
        "log_bytes": ("gauge", "size of the log", log.size_bytes),
        "log_segments": ("gauge", "files of the log", len(log.segments)),
        "log_damaged": ("gauge", "segments cut or damaged, found at the start", log.damaged),
        "newest_event_seconds": ("gauge", "newest event time", max(0, ledger.newest_us) / 1_000_000),
    }
    for name, (kind, text, value) in singles.items():
        lines += [*header(name, kind, text), f"trimtab_collector_{name} {value}"]
    return "\n".join(lines) + "\n"


def header(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP trimtab_collector_{name} {text}", f"# TYPE trimtab_collector_{name} {kind}"]


def metric(name: str, kind: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> list[str]:
    samples = [f'trimtab_collector_{name}{{{label}="{escaped(key)}"}} {value}' for key, value in values]
    return [*header(name, kind, text), *samples]


def escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def column(totals: Mapping[str, tuple[int, int, int]], at: int) -> list[tuple[str, float]]:
    return [(name, row[at]) for name, row in totals.items()]


def coverage(ledger: Ledger) -> list[tuple[str, float]]:
    shares = []
    for name, revision in ledger.revisions.items():
        requests, errors, _ = revision.requests.totals()
        if answered := requests - errors:
            shares.append((name, 1 - min(revision.incomplete, answered) / answered))
    return shares
