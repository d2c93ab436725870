"""ports.runs.Runs over Jobs."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from trimtab.adapters.claims import delete_claim, read_claim
from trimtab.adapters.failed_create import failed_create
from trimtab.adapters.jobs import pods
from trimtab.adapters.jobs.job import JOB, RUN_LABEL, job_name, job_of
from trimtab.adapters.jobs.pods import POD
from trimtab.api.resources.retrain import Pipeline
from trimtab.ports.claims import Claim
from trimtab.ports.cluster import Cluster, Object, Refused
from trimtab.ports.runs import Run, RunState

GAVE_UP: Final = "trimtab.dev/gave-up"
HINDERED: Final = "trimtab.dev/hindered"
STUCK_AFTER: Final = timedelta(minutes=15)
NO_POD_AFTER: Final = timedelta(minutes=1)
NOTE: Final = 1000
"""Characters of a note."""


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
        """Give up a Job whose pod cannot start for a quarter of an hour, so that it does not start unasked later; and
        note at any other what hinders it: when its deadline has passed, its pod and the events are gone."""
        job = self._cluster.get(JOB, self._namespace, job_name(self._policy, key))
        if job is None or _condition(job, "Failed") or _condition(job, "Complete"):
            return
        pod, notes = self._pod(job), job["metadata"].get("annotations", {})
        age, noted = self._now() - pods.made_at(pod or job), notes.get(HINDERED, "")
        if GAVE_UP in notes or age < NO_POD_AFTER:
            return
        if pod is not None and pods.stuck(pod) and age >= STUCK_AFTER:
            self._note(job, {GAVE_UP: pods.hindrance(pod)[:NOTE]}, {"activeDeadlineSeconds": 1})
            return
        because = "" if pod is not None and pods.running(pod) else self._waits_for(job, pod) or noted
        if _remedy(because) != _remedy(noted):
            with suppress(Refused):  # by an account with older rights
                self._note(job, {HINDERED: because[:NOTE]} if because else {})

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
            said = said or job["metadata"].get("annotations", {}).get(HINDERED, "")
            hours = self._template.deadline.total_seconds() / 3600
            late = f"it took longer than spec.pipeline.job.deadline ({hours:g} h)"
            return f"{late}: {said}" if said else late
        return said or f"{failed.get('reason', '')}: {failed.get('message', '')}"

    def _note(self, job: Object, notes: Mapping[str, str], spec: Mapping[str, Any] | None = None) -> None:
        """Make these the notes at this Job; an account that may patch Jobs may write them."""
        meta = {name: job["metadata"][name] for name in ("name", "namespace", "uid")}
        noted = {
            "apiVersion": JOB.api_version,
            "kind": JOB.kind,
            "metadata": {**meta, "annotations": dict(notes)},
            "spec": dict(spec or {}),
        }
        self._cluster.apply(noted, account=self._pipeline.service_account_name)

    def _waits_for(self, job: Object, pod: Object | None) -> str:
        """Why it does not run. One that ended stands for none: its Job is about to make another."""
        if pod is not None and not pods.over(pod):
            return pods.hindrance(pod)
        if self._now() - pods.made_at(pod or job) < NO_POD_AFTER:
            return ""
        if (refused := self._refused(job, pod)) or pod is not None:
            return refused
        name = job["metadata"]["name"]
        return (
            f"no pod of its Job is made: a quota, a missing service account or pod security refuses it; "
            f"kubectl -n {self._namespace} describe job {name}"
        )

    def _refused(self, job: Object, last: Object | None = None) -> str:
        """Why no pod could be made since the last one."""
        return failed_create(
            self._cluster, JOB, self._namespace, job["metadata"]["name"],
            since=last["metadata"]["creationTimestamp"] if last is not None else "", remedies=pods.REFUSALS,
        )  # fmt: skip

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


def _remedy(because: str) -> str:
    """What stays of a sentence while the figures in it change."""
    return because.rpartition("; ")[2]


def _lost(claim: Claim) -> Run:
    because = "its Job was deleted before it had registered anything"
    return Run(id=claim.run, key=claim.key, state=RunState.FAILED, because=because)


def _condition(job: Object, kind: str) -> Mapping[str, Any] | None:
    found: list[Mapping[str, Any]] = job.get("status", {}).get("conditions") or []
    return next((one for one in found if one["type"] == kind and one["status"] == "True"), None)
