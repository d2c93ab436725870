"""ports.runs.Runs over a Kubeflow Pipelines server.

The server has no idempotency key, and makes the workflow before it makes the row: of one key at least one run is
created, and exactly one, the holder of the key's claim, takes effect. All runs of a key carry one name.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from trimtab.adapters.claims import delete_claim, read_claim
from trimtab.adapters.kfp_server.server import KfpProvider, KfpRun, KfpServer
from trimtab.api.resources.retrain import Pipeline
from trimtab.ports.claims import Claim
from trimtab.ports.cluster import Cluster
from trimtab.ports.runs import Run, RunState

STATES: Final = {
    "RUNTIME_STATE_UNSPECIFIED": RunState.PENDING,
    "PENDING": RunState.PENDING,
    "RUNNING": RunState.RUNNING,
    "PAUSED": RunState.RUNNING,
    "CANCELING": RunState.RUNNING,
    "SUCCEEDED": RunState.SUCCEEDED,
    "SKIPPED": RunState.SKIPPED,
    "FAILED": RunState.FAILED,
    "CANCELED": RunState.FAILED,
}

LOST_AFTER: Final = timedelta(days=1)


def _now() -> datetime:
    return datetime.now(UTC)


class KfpServerRuns:
    """Runs of one policy.

    Args:
        policy: the RetrainPolicy's name.
        pipeline: of its spec, with `name`.
        parameters: of the moment, for a run that is about to start: `stable`, `window`.
    """

    def __init__(
        self,
        provider: KfpProvider,
        cluster: Cluster,
        namespace: str,
        policy: str,
        pipeline: Pipeline,
        *,
        parameters: Callable[[], Mapping[str, str]] = dict,
        now: Callable[[], datetime] = _now,
    ) -> None:
        assert pipeline.name is not None
        self._server, self._cluster = KfpServer(provider, namespace), cluster
        self._claims = provider.namespace or namespace
        self._policy, self._experiment_name = policy, f"trimtab-{namespace}-{policy}"
        self._pipeline, self._pipeline_name = pipeline, pipeline.name
        self._parameters, self._now = parameters, now
        self._experiment = ""

    def start(self, key: str, parameters: Mapping[str, str]) -> Run:
        found = self.find(key)
        if found is not None:
            return found
        own = {one.name: one.value for one in self._pipeline.parameters}
        told = {"window": "", **self._parameters(), **own, **parameters}
        told |= {"project": self._pipeline.project, "key": key, "claims": self._claims}
        made = self._server.create(
            self._experiment_id(),
            self._name(key),
            self._server.pipeline(self._pipeline_name),
            typed(told),
            self._pipeline.service_account_name,
            f"asked for by RetrainPolicy {self._policy}",
        )
        return Run(id=made.id, key=key, state=STATES.get(made.state, RunState.PENDING))

    def find(self, key: str) -> Run | None:
        """The run of a key; what it registered stands in its claim, and outlives the server's row."""
        claim = read_claim(self._cluster, self._claims, key)
        if claim is not None and claim.effect is not None:
            done = claim.effect
            return Run(
                id=claim.run, key=key, state=RunState.SUCCEEDED, version=done.version, passed=done.passed,
                because=done.because, data_end=done.until, labelled=done.labelled,
            )  # fmt: skip
        seen = effective(self._all(key), claim)
        if seen is not None:
            return self._judged(key, seen, claim)
        return None if claim is None else self._unlisted(claim)

    def tend(self, key: str) -> None:
        """End what was created beside the run that holds the claim. Before one holds it, each may still become it."""
        claim = read_claim(self._cluster, self._claims, key)
        if claim is None:
            return
        for run in self._all(key):
            if run.id != claim.run and not run.ended and run.state != "CANCELING":
                self._server.terminate(run.id)

    def forget(self, key: str) -> None:
        """Delete its claim."""
        delete_claim(self._cluster, self._claims, key, self._pipeline.service_account_name)

    def end(self, key: str) -> None:
        """Stop every run of a key."""
        for run in self._all(key):
            if not run.ended and run.state != "CANCELING":
                self._server.terminate(run.id)

    def _judged(self, key: str, seen: KfpRun, claim: Claim | None) -> Run:
        state = STATES.get(seen.state, RunState.RUNNING)
        if not seen.ended:
            return Run(id=seen.id, key=key, state=state)
        if claim is not None and claim.run != seen.id:
            because = f"run {claim.run} holds the claim of its key"
            return Run(id=seen.id, key=key, state=RunState.SKIPPED, because=because)
        if state is RunState.FAILED:
            told = self._server.run(seen.id).error or f"Kubeflow Pipelines says {seen.state} and no more"
            return Run(id=seen.id, key=key, state=state, because=told)
        because = (
            f"run {seen.id} ended as {seen.state} and registered nothing; "
            f"is pipeline '{self._pipeline_name}' trimtab's, of this release? trimtab pipeline compile"
        )
        return Run(id=seen.id, key=key, state=RunState.FAILED, because=because)

    def _unlisted(self, claim: Claim) -> Run:
        """The holder of a claim that the server does not list: its row failed to be written, or was deleted."""
        if claim.since is None or self._now() - claim.since < LOST_AFTER:
            because = f"run {claim.run} holds the claim; the server does not list it"
            return Run(id=claim.run, key=claim.key, state=RunState.RUNNING, because=because)
        because = (
            f"run {claim.run} holds the claim, is not on the server, and registered nothing in {LOST_AFTER}"
        )
        return Run(id=claim.run, key=claim.key, state=RunState.FAILED, because=because)

    def _all(self, key: str) -> list[KfpRun]:
        return self._server.runs(self._experiment_id(), self._name(key))

    def _experiment_id(self) -> str:
        if not self._experiment:
            self._experiment = self._server.experiment(self._experiment_name)
        return self._experiment

    def _name(self, key: str) -> str:
        return f"{self._policy}-{key[:16]}"


def effective(runs: Sequence[KfpRun], claim: Claim | None) -> KfpRun | None:
    """The run that counts: the claim's holder; before there is one, the oldest that may become it, else the newest.

    None where the holder has no row on the server, or nothing was created.
    """
    if claim is not None:
        return next((run for run in runs if run.id == claim.run), None)
    alive = [run for run in runs if not run.ended]
    return alive[0] if alive else runs[-1] if runs else None


def typed(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Run parameters as the pipeline's types: a flag is a boolean."""
    flags = {"force_past_gate"}
    return {name: value.lower() == "true" if name in flags else value for name, value in parameters.items()}
