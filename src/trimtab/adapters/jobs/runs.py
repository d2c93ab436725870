"""ports.runs.Runs over Jobs."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from trimtab.adapters.claims import delete_claim, read_claim
from trimtab.adapters.jobs import pods
from trimtab.adapters.jobs.job import JOB, RUN_LABEL, job_name, job_of
from trimtab.adapters.jobs.pods import POD
from trimtab.api.resources.retrain import Pipeline
from trimtab.ports.claims import Claim
from trimtab.ports.cluster import Cluster, Object
from trimtab.ports.runs import Run, RunState

GAVE_UP: Final = "trimtab.dev/gave-up"
STUCK_AFTER: Final = timedelta(minutes=15)
NO_POD_AFTER: Final = timedelta(minutes=1)


def _now() -> datetime:
    return datetime.now(UTC)


class JobRuns:
    """Runs of one policy as Jobs of its namespace, created as its service account.

    Args:
        policy: the RetrainPolicy's name.
        pipeline: of its spec, with `job`.
        owner: the policy's object.
        parameters: of the moment, for a run that is about to start: `stable`, `window`.
        environment: of every pod: TRIMTAB_MLFLOW, the registry provider's address.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        policy: str,
        pipeline: Pipeline,
        *,
        owner: Object | None = None,
        parameters: Callable[[], Mapping[str, str]] = dict,
        environment: Mapping[str, str] | None = None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        assert pipeline.job is not None
        self._cluster, self._namespace, self._policy = cluster, namespace, policy
        self._pipeline, self._template = pipeline, pipeline.job
        self._owner, self._parameters, self._now = owner, parameters, now
        self._environment = environment or {}

    def start(self, key: str, parameters: Mapping[str, str]) -> Run:
        found = self.find(key)
        if found is not None:
            return found
        own = {one.name: one.value for one in self._pipeline.parameters}
        job = job_of(
            self._policy, self._namespace, key, self._pipeline, self._template,
            {**self._parameters(), **own, **parameters}, self._environment, self._owner,
        )  # fmt: skip
        self._cluster.create(job, account=self._pipeline.service_account_name)
        return Run(id=job["metadata"]["name"], key=key, state=RunState.PENDING)

    def find(self, key: str) -> Run | None:
        """The run of a key; what it registered stands in its claim, and outlives the Job."""
        claim = read_claim(self._cluster, self._namespace, key)
        if claim is not None and claim.effect is not None:
            done = claim.effect
            return Run(
                id=claim.run, key=key, state=RunState.SUCCEEDED, version=done.version, passed=done.passed,
                because=done.because, data_end=done.until, labelled=done.labelled,
            )  # fmt: skip
        job = self._cluster.get(JOB, self._namespace, job_name(self._policy, key))
        if job is not None:
            return self._seen(key, job)
        return None if claim is None else _lost(claim)

    def tend(self, key: str) -> None:
        """Give up a Job whose pod cannot start for a quarter of an hour, so that it does not start unasked later."""
        job = self._cluster.get(JOB, self._namespace, job_name(self._policy, key))
        pod = None if job is None else self._pod(job)
        if job is None or pod is None or _condition(job, "Failed") or not pods.stuck(pod):
            return
        if self._now() - pods.made_at(pod) < STUCK_AFTER or GAVE_UP in job["metadata"].get("annotations", {}):
            return
        annotations = {**job["metadata"].get("annotations", {}), GAVE_UP: pods.hindrance(pod)[:1000]}
        given_up = {
            **job,
            "metadata": {**job["metadata"], "annotations": annotations},
            "spec": {**job["spec"], "activeDeadlineSeconds": 1},
        }
        self._cluster.replace(given_up, account=self._pipeline.service_account_name)

    def forget(self, key: str) -> None:
        """Delete its claim."""
        delete_claim(self._cluster, self._namespace, key, self._pipeline.service_account_name)

    def end(self, key: str) -> None:
        """Stop the run of a key, if there is one."""
        name = job_name(self._policy, key)
        self._cluster.delete(JOB, self._namespace, name, account=self._pipeline.service_account_name)

    def _seen(self, key: str, job: Object) -> Run:
        name, pod = job["metadata"]["name"], self._pod(job)
        if _condition(job, "Complete"):
            return _complete(key, name, pod)
        failed = _condition(job, "Failed")
        if failed is not None:
            return Run(id=name, key=key, state=RunState.FAILED, because=self._why(job, failed, pod))
        if pod is not None and pods.running(pod):
            return Run(id=name, key=key, state=RunState.RUNNING)
        return Run(id=name, key=key, state=RunState.PENDING, because=self._waits_for(job, pod))

    def _why(self, job: Object, failed: Mapping[str, Any], pod: Object | None) -> str:
        if given_up := job["metadata"].get("annotations", {}).get(GAVE_UP):
            return str(given_up)
        said = pods.failure(pod) or pods.hindrance(pod) if pod is not None else ""
        if failed.get("reason") == "DeadlineExceeded":
            hours = self._template.deadline.total_seconds() / 3600
            late = f"it took longer than spec.pipeline.job.deadline ({hours:g} h)"
            return f"{late}: {said}" if said else late
        return said or f"{failed.get('reason', '')}: {failed.get('message', '')}"

    def _waits_for(self, job: Object, pod: Object | None) -> str:
        if pod is not None:
            return pods.hindrance(pod)
        if self._now() - pods.made_at(job) < NO_POD_AFTER:
            return ""
        name = job["metadata"]["name"]
        return (
            f"no pod of its Job is made: a quota, a missing service account or pod security refuses it; "
            f"kubectl -n {self._namespace} describe job {name}"
        )

    def _pod(self, job: Object) -> Object | None:
        return pods.newest(self._cluster.list(POD, self._namespace, {RUN_LABEL: job["metadata"]["name"]}))


def _complete(key: str, name: str, pod: Object | None) -> Run:
    """A Job that ended well, without an effect in its claim."""
    left = pods.message(pod) if pod is not None else None
    if left is None:
        because = "its pod is gone and its claim says nothing of what it registered"
        return Run(id=name, key=key, state=RunState.FAILED, because=because)
    if left.skipped:
        because = left.because or "another run holds the claim of its key"
        return Run(id=name, key=key, state=RunState.SKIPPED, because=because)
    until = datetime.fromisoformat(left.until) if left.until else None
    return Run(
        id=name, key=key, state=RunState.SUCCEEDED, version=left.version, passed=left.passed,
        because=left.because, data_end=until, labelled=left.labelled,
    )  # fmt: skip


def _lost(claim: Claim) -> Run:
    because = "its Job was deleted before it had registered anything"
    return Run(id=claim.run, key=claim.key, state=RunState.FAILED, because=because)


def _condition(job: Object, kind: str) -> Mapping[str, Any] | None:
    found: list[Mapping[str, Any]] = job.get("status", {}).get("conditions") or []
    return next((one for one in found if one["type"] == kind and one["status"] == "True"), None)
