"""Composition root of the tasks that ask a registered model: `predict` and `periods`."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from trimtab.api.errors import InputRefused
from trimtab.api.values import parse_duration
from trimtab.bootstrap.artefacts import read_pointers, write_pointers
from trimtab.bootstrap.failing import tells_failure
from trimtab.bootstrap.parameters import moment
from trimtab.bootstrap.workplace import Workplace

if TYPE_CHECKING:
    from trimtab.ports.registry import ModelVersion

MOST_PERIODS: Final = 1000


class Predicted(NamedTuple):
    version: str
    predicted: int


@tells_failure
def predict(
    project: str, since: str, until: str, model: str, rows: Any, predictions: Any, summary: Any
) -> Predicted:
    """What a registered model says of a period's examples."""
    from trimtab.steps.predict import predict as step

    place = Workplace.open(project)
    asked = model_of(place, model)
    made = step(
        place.loaded.project,
        place.folder(asked.uri),
        asked.version,
        read_pointers(rows),
        place.engine,
        place.tables,
        moment(since) if since else None,
        moment(until),
    )
    write_pointers({"predictions": made.pointer}, predictions)
    lines = [f"| {name} | {value:.4f} |" for name, value in made.spread.items()]
    head = f"# {made.rows:,} predictions by version {asked.version}"
    period = f"From {since or 'the first example'} until {until}; table `{made.pointer.table}`."
    Path(summary.path).write_text("\n".join([head, "", period, "", "| | |", "|---|---|", *lines, ""]))
    return Predicted(asked.version, made.rows)


@tells_failure
def periods(project: str, since: str, until: str, every: str, model: str) -> list[dict[str, str]]:
    """[since, until) in periods of one length, and the model for all of them."""
    place = Workplace.open(project)
    try:
        length = parse_duration(every)
    except ValueError as error:
        raise InputRefused(f"every: {error}", remedy="such as 7d") from None
    found = cut(moment(since), moment(until), length)
    version = model_of(place, model).version
    return [
        {"since": first.isoformat(), "until": last.isoformat(), "model": version} for first, last in found
    ]


def cut(since: datetime, until: datetime, length: timedelta) -> list[tuple[datetime, datetime]]:
    """
    Raises:
        InputRefused: none, or too many.

    >>> [(a.day, b.day) for a, b in cut(datetime(2013, 1, 1), datetime(2013, 1, 10), timedelta(days=7))]
    [(1, 8), (8, 10)]
    """
    if not length or until <= since:
        raise InputRefused(
            f"there is no period between {since.isoformat()} and {until.isoformat()}",
            remedy="give a since before until, and a length such as 7d",
        )
    count = -(-(until - since) // length)
    if count > MOST_PERIODS:
        raise InputRefused(
            f"{count} periods are more than {MOST_PERIODS}", remedy="give a longer `every`, or a later since"
        )
    starts = [since + i * length for i in range(count)]
    return list(zip(starts, [*starts[1:], until], strict=True))


def model_of(place: Workplace, version: str) -> "ModelVersion":
    """A registry version; where none is named, the stable one, else the candidate.

    Raises:
        InputRefused: there is no such version, or none at all.
    """
    registry, name = place.registry(), place.loaded.project.name
    if version:
        held = registry.version(name, version)
        if held is None:
            known = ", ".join(one.version for one in registry.versions(name)) or "none"
            raise InputRefused(f"{name} has no version {version}", remedy=f"there are: {known}")
        return held
    found = registry.alias(name, "stable") or registry.alias(name, "candidate")
    if found is None:
        raise InputRefused(
            f"{name} has no stable version and no candidate", remedy="train one, or name a version as `model`"
        )
    return found
