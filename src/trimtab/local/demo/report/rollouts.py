"""Rollouts: from the first copy of a request to the verdict, with the bounds of every check on the way."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from trimtab.local.demo.report import words
from trimtab.local.demo.report.bounds_chart import Chart, Look, chart
from trimtab.local.demo.report.chapters import Chapter, CheckRow
from trimtab.local.demo.report.told import Happening, Seen, Told, forced
from trimtab.local.demo.report.worth import gains

ENDS: Final = ("Promoted", "Rejected", "Superseded")
OUTCOMES: Final = {
    "Promoted": ("stable", "promoted"),
    "Rejected": ("drifted", "refused"),
    "Superseded": ("unknown", "replaced by a newer one"),
}
TITLES: Final = {
    "log_loss": "Log loss, candidate minus stable",
    "error_rate": "Failed requests, candidate minus stable",
    "latency_p95": "95th percentile of latency, over stable's",
}
FORCED: Final = (
    "This candidate was forced. Its gate had already refused it; the demo, and not the policy, asked for it, trained "
    "on the last season alone, and put it into shadow all the same, to show what shadow does with such a model."
)
MERELY_NO_WORSE: Final = (
    "The rule is non-inferiority: it lets a refit through that is shown to be no worse by the margin. Here the "
    "bounds do not show that it is better."
)


def rollouts(told: Told) -> Iterator[Chapter]:
    """One chapter for each candidate taken, at the time of its verdict; and one for each undo."""
    taken = told.of_kind("CandidateTaken")
    for event in taken:
        later = [
            one
            for one in told.events
            if one.revision == event.revision and one.at >= event.at and one.resource == event.resource
        ]
        end = next((one for one in later if one.kind in ENDS), None)
        yield rollout(told, event, later, end)
    for event in told.of_kind("Undone"):
        yield undone(told, event)


def undone(told: Told, event: Happening) -> Chapter:
    """A person took back a promotion."""
    return Chapter(
        at=event.at,
        date=words.moment(event.at, told.zone),
        lane="verdict",
        tone="drifted",
        title=f"Promotion of {told.name(event.revision)} undone",
        badge="undone",
        because=words.sentence(event.because),
        colour=told.colour(event.revision),
    )


def rollout(told: Told, taken: Happening, course: Sequence[Happening], end: Happening | None) -> Chapter:
    name, revision = told.name(taken.revision), taken.revision
    tone, badge = OUTCOMES[end.kind] if end else ("unknown", "undecided at the end of the year")
    steps = [one for one in course if one.kind == "StepStarted" and (end is None or one.at <= end.at)]
    series = told.checks(revision)
    promised = {one["name"]: one for one in told.story["project"]["rollout"]["checks"]}
    first = not series and end is not None and end.kind == "Promoted"
    return Chapter(
        at=end.at if end else told.end,
        date=words.moment(end.at if end else told.end, told.zone),
        lane="verdict",
        tone="seasonal" if first else tone,
        title=f"{name} is the first revision" if first else f"Rollout of {name}",
        badge="serves" if first else badge,
        because=" ".join([words.sentence(end.because if end else taken.because), gain(series)]).strip(),
        colour=told.colour(revision),
        steps=[
            (words.moment(one.at, told.zone), step_text(told, one))
            for one in [taken, *steps, *([end] if end else [])]
        ]
        if not first
        else [],
        charts=[draw(told, name, promised.get(name, {}), looks) for name, looks in series.items()],
        checks=[row(name, promised.get(name, {}), looks[-1]) for name, looks in series.items()],
        note=note(told, name, series, end),
        gains=gains(told, name) if end and end.kind == "Promoted" else None,
    )


def step_text(told: Told, event: Happening) -> str:
    """What happened, with the share of requests that a step gives."""
    name, _, because = event.because.partition(": ")
    step = next((one for one in told.story["project"]["rollout"]["steps"] if one["name"] == name), None)
    if event.kind != "StepStarted" or step is None:
        return words.sentence(event.because)
    percent = (step.get("canary") or {}).get("percent")
    what = f"step '{name}', {percent} % of requests" if percent else f"step '{name}', copies of requests"
    return words.sentence(f"{what}: {because}")


def gain(series: Mapping[str, Sequence[Seen]]) -> str:
    """What shadow showed of the candidate's log loss, in words."""
    last = series["loss"][-1] if series.get("loss") else None
    if last is None or last.estimate is None:
        return ""
    lower, upper = last.lower, last.upper
    side = "lower" if last.estimate < 0 else "higher"
    known = upper if side == "lower" else lower
    sure = known is not None and (known < 0) == (side == "lower") and known != 0
    least = (
        f", {abs(known or 0):.3f} at least" if sure else ", which the bounds do not tell from no difference"
    )
    return (
        f"In shadow its log loss was {abs(last.estimate):.3f} nats a flight {side} than stable's{least}, "
        f"over {last.units} local days."
    )


def note(told: Told, name: str, series: Mapping[str, Sequence[Seen]], end: Happening | None) -> str:
    version = told.version(name)
    if said := forced(version):
        return f"{FORCED} What its gate had said: {words.sentence(said)}"
    if end is not None and end.kind == "Promoted" and series:
        loss = [looks[-1] for check, looks in series.items() if check == "loss"]
        if loss and (loss[0].upper is None or loss[0].upper >= 0):
            return MERELY_NO_WORSE
    return ""


def draw(told: Told, name: str, promised: Mapping[str, Any], looks: Sequence[Seen]) -> Chart:
    metric = str(promised.get("metric", name))
    margin = looks[-1].margin or 0.0
    return chart(
        TITLES.get(metric, f"{name}: candidate against stable"),
        f"{words.unit(metric)}; {units(promised, looks[-1].units)}",
        [Look(one.at, one.estimate, one.lower, one.upper) for one in looks],
        margin,
        f"margin {words.difference(metric, margin)}{' %' if metric.startswith('latency') else ''}",
        told.zone,
        lambda value: words.difference(metric, value),
    )


def row(name: str, promised: Mapping[str, Any], last: Seen) -> CheckRow:
    metric = str(promised.get("metric", name))
    return CheckRow(
        name,
        metric,
        last.verdict,
        words.difference(metric, last.estimate),
        words.interval(metric, last.lower, last.upper),
        words.difference(metric, last.margin),
        words.unit(metric),
        units(promised, last.units),
        "" if last.rows == last.units else f", {last.rows:,} flights",
        alpha_text(promised, last.entered),
    )


def alpha_text(promised: Mapping[str, Any], entered: int) -> str:
    """Error rates of Fail and Pass; the j-th candidate since a promotion passes at α/2^(j−1).

    >>> alpha_text({"alpha": {"fail": "0.05", "pass": "0.05"}}, 2)
    '0.05, 0.025'
    """
    alpha = promised.get("alpha") or {}
    fail, passing = alpha.get("fail"), alpha.get("pass")
    return ", ".join(
        (
            words.NONE if fail is None else f"{float(fail):g}",
            words.NONE if passing is None else f"{float(passing) / 2 ** max(0, entered - 1):g}",
        )
    )


def units(promised: Mapping[str, Any], number: int) -> str:
    """How many independent units, by what the check counts."""
    block = promised.get("block")
    noun = {"1d": "local day", "1h": "hour", "request": "request"}.get(str(block), "unit")
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
