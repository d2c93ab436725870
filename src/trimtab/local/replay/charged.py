"""Runs that take their declared time on the replay's clock, whatever they take on the wall's."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from trimtab.ports.clock import Clock
from trimtab.ports.runs import Run, Runs, RunState


class ChargedRuns:
    """Time stands still while a run is at work; then it counts as running for `charge` (ports.runs.Runs)."""

    def __init__(self, runs: Runs, clock: Clock, charge: timedelta) -> None:
        self._runs, self._clock, self._charge = runs, clock, charge
        self._over: dict[str, datetime] = {}

    def start(self, key: str, parameters: Mapping[str, str]) -> Run:
        run = self._runs.start(key, parameters)
        self._over.setdefault(key, self._clock.now() + self._charge)
        return self._seen(run)

    def find(self, key: str) -> Run | None:
        run = self._runs.find(key)
        return None if run is None else self._seen(run)

    def _seen(self, run: Run) -> Run:
        if self._clock.now() < self._over.get(run.key, self._clock.now()):
            return replace(run, state=RunState.RUNNING)
        return run
