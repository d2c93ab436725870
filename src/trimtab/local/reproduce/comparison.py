"""What differs between two provenances of one run, in the order of causes: the first one explains the rest."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from trimtab.api.provenance import Provenance

NOTHING: Final = "none"


class Cause(StrEnum):
    """In order: each may be the cause of those after it."""

    BUNDLE = "bundle"
    DATA = "data"
    LIBRARIES = "libraries"
    HARDWARE = "hardware"
    DETERMINISM = "determinism"
    SEARCH = "search"
    TABLES = "tables"
    FEATURES = "features"
    TRAINED = "trained model"
    FITTED = "fitted model"
    EXPORTED = "exported file"
    PREDICTIONS = "predictions"


INPUTS: Final = (Cause.BUNDLE, Cause.DATA)
SURROUNDINGS: Final = (Cause.LIBRARIES, Cause.HARDWARE, Cause.DETERMINISM, Cause.SEARCH)
"""What may differ without effect."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was.

    Attributes:
        what: the file, table, package or switch.
        recorded, now: its value or digest then and now; `none` where there was none.
    """

    cause: Cause
    what: str
    recorded: str
    now: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.what}: was {_short(self.recorded)}, is {_short(self.now)}"


def differences(recorded: Provenance, rebuilt: Provenance) -> tuple[Difference, ...]:
    """Everything that differs, causes first."""
    return (*surroundings(recorded, rebuilt), *results(recorded, rebuilt))


def surroundings(recorded: Provenance, rebuilt: Provenance) -> Iterator[Difference]:
    """Libraries, hardware and switches: what may change bits, and need not."""
    was, now = recorded.libraries, rebuilt.libraries
    yield from _unlike(
        Cause.LIBRARIES,
        {"python": was.python, "trimtab's own code": was.trimtab, **was.packages},
        {"python": now.python, "trimtab's own code": now.trimtab, **now.packages},
    )
    yield from _unlike(Cause.LIBRARIES, {"image": recorded.image}, {"image": rebuilt.image})
    yield from _unlike(Cause.LIBRARIES, _lock(recorded), _lock(rebuilt))
    yield from _unlike(Cause.HARDWARE, _hardware(recorded), _hardware(rebuilt))
    yield from _unlike(Cause.DETERMINISM, _switches(recorded), _switches(rebuilt))
    yield from _unlike(Cause.SEARCH, _chosen(recorded), _chosen(rebuilt))


def results(recorded: Provenance, rebuilt: Provenance) -> Iterator[Difference]:
    """What was made, in the order in which it is made."""
    yield from _unlike(Cause.TABLES, _tables(recorded), _tables(rebuilt))
    yield from _unlike(
        Cause.FEATURES,
        {recorded.features.table: recorded.features.digest},
        {rebuilt.features.table: rebuilt.features.digest},
    )
    was, now = recorded.results, rebuilt.results
    rows = "answers on the validation rows"
    yield from _unlike(Cause.TRAINED, {rows: was.trained}, {rows: now.trained})
    yield from _unlike(Cause.FITTED, {"answers": was.fitted}, {"answers": now.fitted})
    yield from _unlike(Cause.EXPORTED, was.files, now.files)
    yield from _unlike(Cause.PREDICTIONS, {"answers": was.predictions}, {"answers": now.predictions})


def _unlike(cause: Cause, was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Difference]:
    for name in dict.fromkeys([*was, *now]):
        before, after = was.get(name) or NOTHING, now.get(name) or NOTHING
        if before != after:
            yield Difference(cause, name, before, after)


def _lock(one: Provenance) -> dict[str, str]:
    """What was asked to be installed, which counts less than what was; empty without a lock file."""
    return {one.lock.file: one.lock.digest} if one.lock else {}


def _hardware(one: Provenance) -> dict[str, str]:
    held = one.hardware
    return {
        "architecture": held.architecture,
        "cpu": held.cpu,
        "cores": str(held.cores),
        "accelerators": ", ".join(held.accelerators),
        "devices": ", ".join(held.devices),
        "workers": held.workers,
    }


def _switches(one: Provenance) -> dict[str, str]:
    held = one.determinism
    threads = {f"threads of {pool}": count for pool, count in held.threads.items()}
    return {"seed": str(held.seed), **held.variables, **threads, **held.torch}


def _chosen(one: Provenance) -> dict[str, str]:
    """The model that a search chose; empty without one."""
    if one.chosen is None:
        return {}
    params = {name: str(value) for name, value in one.chosen.params.items()}
    return {"model": one.chosen.family or "the project's model.py", **params}


def _tables(one: Provenance) -> dict[str, str]:
    """Digest by table of what was built on the sources, as the features read it."""
    read = (one.version(key) for key in one.features.reads.values())
    return {held.table: held.digest for held in read if held.step != "ingest"}


def _short(value: str) -> str:
    """A digest by its first 12 digits, anything else as it stands."""
    return value[:12] if len(value) == 64 else value
