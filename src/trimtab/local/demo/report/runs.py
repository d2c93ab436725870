"""Training runs that the policy asked for, and what their gates said."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from trimtab.local.demo.report import words
from trimtab.local.demo.report.chapters import Chapter
from trimtab.local.demo.report.told import Happening, Told, when

OUTCOMES: Final = {
    "Refused": ("drifted", "refused by its gates"),
    "Candidate": ("stable", "candidate"),
    "Failed": ("drifted", "failed"),
    "Skipped": ("unknown", "skipped"),
}


def runs(told: Told) -> Iterator[Chapter]:
    """One chapter for each run that was claimed."""
    claims = told.of_kind("RunClaimed")
    ends = told.of_kind("RunEnded")
    for place, claim in enumerate(claims):
        until = claims[place + 1].at if place + 1 < len(claims) else told.end
        yield run(told, claim, next((one for one in ends if claim.at <= one.at <= until), None))


def run(told: Told, claim: Happening, end: Happening | None) -> Chapter:
    outcome, _, because = (end.because if end else "").partition(": ")
    tone, badge = OUTCOMES.get(outcome, ("unknown", outcome.lower() if end else "still running"))
    number = end.bounds.get("version") if end else None
    version = told.version(f"v{number}") if number else None
    title = "Training run" + (f": v{number}" if number else "")
    return Chapter(
        at=claim.at,
        date=words.moment(claim.at, told.zone),
        lane="run",
        tone=tone,
        title=title,
        badge=badge,
        because=words.sentence(because or outcome or "it had not ended when the year did"),
        colour=colour_of(told, number),
        steps=[("Why it ran", words.sentence(claim.because))],
        facts=facts(told, version["tags"]) if version else [],
    )


def facts(told: Told, tags: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a version learned from, and its figures on held-out days."""
    found = []
    if tags.get("trimtab.learned.from") and tags.get("trimtab.learned.to"):
        first, last = when(tags["trimtab.learned.from"]), when(tags["trimtab.learned.to"])
        found.append(("Learned from", f"{words.day(first, told.zone)} to {words.day(last, told.zone)}"))
    if tags.get("trimtab.rows"):
        found.append(("Flights learned from", f"{int(tags['trimtab.rows']):,}"))
    for key, name in (("roc_auc", "ROC AUC, held out"), ("log_loss", "Log loss, held out")):
        if value := tags.get(f"trimtab.metric.{key}", tags.get(f"trimtab.metric.test.{key}")):
            found.append((name, words.plain(float(value))))
    gates = [gate_text(gate) for gate in told.story["project"]["gates"]]
    return [*found, ("Gates", "; ".join(gates))] if gates else found


def gate_text(gate: Mapping[str, Any]) -> str:
    """A gate as a person says it.

    >>> gate_text({"metric": "roc_auc", "atLeast": "0.68", "noWorseThanStableBy": None})
    'roc_auc at least 0.68'
    """
    said = {
        "atLeast": "at least",
        "atMost": "at most",
        "noWorseThanStableBy": "no worse than stable by",
        "betterThanStableBy": "better than stable by",
    }
    for key, text in said.items():
        if gate.get(key) is not None:
            return f"{gate['metric']} {text} {bound(gate[key])}"
    return str(gate["metric"])


def bound(value: Any) -> str:
    """A bound as the project file writes it.

    >>> bound({"absolute": None, "percent": "50"}), bound({"absolute": "0.02", "percent": None}), bound(0.5)
    ('50 %', '0.02', '0.5')
    """
    if isinstance(value, Mapping):
        return f"{value['percent']} %" if value.get("percent") is not None else str(value.get("absolute"))
    return str(value)


def colour_of(told: Told, number: Any) -> str:
    """The colour of a version, if it was ever in flight."""
    return next(
        (told.colour(one) for one, name in told.names.items() if name == f"v{number}"), "var(--faint)"
    )
