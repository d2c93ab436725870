"""A search in the tracking server, as it goes: one run for it, and one nested in it for each trial."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from trimtab.ports.studies import Study, Tried
from trimtab.ports.tracking import RunRecord, Tracking
from trimtab.steps.fitting.contract import ModelSource

PARENT = "mlflow.parentRunId"
"""By this tag MLflow shows a run below another."""


@dataclass(slots=True)
class TrackedSearch:
    """The runs of one search; without a tracking server, none.

    Attributes:
        experiment, name, tags: of the search's run.
        run_id: of the search; "" until it begins.
    """

    tracking: Tracking | None
    experiment: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""
    _at_work: list[str] = field(default_factory=list)

    def begin(self, study: Study) -> None:
        """Start the search's run, or take it over from an earlier sitting and end the trials that broke off with it."""
        if self.tracking is None:
            return
        before = json.loads(study.note or "{}")
        for broken in before.get("trials", ()):
            self.tracking.finish(broken, failed=True)
        self.run_id = self.run_id or before.get("run", "")
        if not self.run_id:
            self.run_id = self.tracking.start(self.experiment, self.name, RunRecord(tags=self.tags))
        self._remember(study)

    def trial(self, study: Study, number: int, source: ModelSource) -> str:
        """A trial begins; its run's id."""
        if self.tracking is None:
            return ""
        params = {"model": source.name, **{name: str(value) for name, value in source.params.items()}}
        record = RunRecord(params=params, tags={PARENT: self.run_id})
        made = self.tracking.start(self.experiment, f"trial-{number}", record)
        self._at_work.append(made)
        self._remember(study)
        return made

    def ended(self, study: Study, trial: Tried, metric: str) -> None:
        """A trial has ended."""
        if self.tracking is None:
            return
        record = RunRecord(
            metrics={metric: trial.value} if trial.value is not None else {},
            history={f"{metric}.by_fold": trial.folds} if trial.folds else {},
            tags={"trimtab.trial.state": trial.state, "trimtab.trial.because": trial.because},
        )
        self.tracking.add(trial.run_id, record)
        self.tracking.finish(trial.run_id, failed=trial.state == "failed")
        self._at_work.remove(trial.run_id)
        self._remember(study)

    def end(self, record: RunRecord, *, failed: bool = False) -> None:
        """The search has ended."""
        if self.tracking is not None and self.run_id:
            self.tracking.add(self.run_id, record)
            self.tracking.finish(self.run_id, failed=failed)

    def _remember(self, study: Study) -> None:
        study.remember(json.dumps({"run": self.run_id, "trials": self._at_work}))
