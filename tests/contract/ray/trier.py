"""Trials in processes of Ray, in a process of its own: python trier.py ROOT CASE

Says on standard output how they ended. The first is alone; beside the others one hangs, where CASE is `study`.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trimtab.adapters.ray import RayTrials
from trimtab.api.errors import SurroundingsFailed
from trimtab.ports.studies import Asked, Candidate, Ended

TRIALS = 4
PARENT = os.getpid()


class Taken:
    """A trial that kills whatever process takes it up."""

    def __reduce__(self) -> Any:
        return dies, (PARENT,)


def dies(unless: int) -> None:
    if os.getpid() != unless:
        os.kill(os.getpid(), signal.SIGKILL)


def fit(case: str, place: int, tell: Any) -> Ended:
    if (case == "study" and place == 1) or case == "memory":
        signal.pause()
    if case == "trial" and place == 2:
        raise SurroundingsFailed("the trial's disk is full", remedy="free some")
    folds: Sequence[float] = ()
    for step in (100, 200, 300):
        folds = (*folds, float(step))
        if because := tell(step, folds, False):
            return Ended("pruned", 0.0, None, folds, because)
    return Ended("complete", 0.0, 1.0, folds)


def main(root: Path, case: str) -> None:
    drawn: list[int] = []
    ended: list[tuple[int, str, int, str]] = []

    def draw() -> Asked | None:
        if case == "memory":
            from trimtab.adapters.ray import tune  # it imports Ray, whose surroundings are made by now

            tune.FALSE_STARTS = 1000  # Ray may kill one that a busy machine has not yet started
        if len(drawn) == (1 if case == "memory" else TRIALS) or (drawn and not ended):
            return None
        drawn.append(len(drawn))
        return Asked(drawn[-1], Candidate("any", {"place": drawn[-1]}))

    def hear(asked: Asked, step: int, folds: Sequence[float], improves: bool) -> Any:
        if case == "study" and asked.number == 2:
            raise SurroundingsFailed("the study's disk is full", remedy="free some")
        return "hopeless" if asked.number == 3 and step == 200 else ""

    def end(asked: Asked, one: Ended) -> None:
        ended.append((asked.number, one.state, len(one.folds), one.because))

    def trial(candidate: Candidate | None, tell: Any) -> Ended:
        assert candidate is not None
        return fit(case, candidate.params["place"], tell)

    try:
        RayTrials(root / "tmp", 2, 1, "cpu").run(
            Taken() if case == "starts" else trial, draw, hear, end, lambda: False, said
        )
    except SurroundingsFailed as error:
        said(error.message)
    said(f"{sorted(ended)} {os.listdir(root / 'tmp')}")


def said(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules["__main__"])
    main(Path(sys.argv[1]), sys.argv[2])
