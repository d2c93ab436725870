"""The pod of a run, after which those of its steps are made: what they must share, and what an earlier one left."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from trimtab.adapters.jobs.job import CONTAINER, JOB, RUN_LABEL
from trimtab.adapters.jobs.pods import over
from trimtab.adapters.kubernetes.in_pod import ACCEPTED, NOT_FOUND, OK, PodApi
from trimtab.adapters.kubernetes.own_pod import own_name
from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.api.platform import Volume
from trimtab.ports.cluster import Object

STEPS_OF: Final = "trimtab.dev/steps-of"
"""Labels a step's pod: the run's Job."""
LOOK_S: Final = 1.0
RIGHT_S: Final = 10.0
UNAUTHORIZED, FORBIDDEN = 401, 403
GO_S: Final = 600.0
"""Within which pods that are ended are gone, where their node answers."""
RIGHTS: Final = "let the run's service account get, list, create and delete pods, and get pods/log"
AGAIN: Final = "the run's next try goes on with this step"
NODE: Final = "if its node is gone for good, delete the node, or taint it node.kubernetes.io/out-of-service"


def own_pod(api: PodApi) -> Object:
    """
    Raises:
        InputRefused: this is no pod that may read itself.
    """
    name = own_name()
    status, body = asked(api, "GET", f"{pods_of(api)}/{name}")
    if status != OK:
        raise not_done("read", f"the run's own pod as {name}", status, body)
    return body


def job_of(own: Object) -> str:
    """The run's Job; the pod itself where it is of none."""
    meta = own["metadata"]
    return str(meta.get("labels", {}).get(RUN_LABEL, meta["name"]))


def ends_at(api: PodApi, own: Object) -> datetime | None:
    """When the run's Job ends whatever is not done; None where nobody says."""
    path = f"/apis/{JOB.api_version}/namespaces/{api.namespace}/jobs/{job_of(own)}"
    status, job = asked(api, "GET", path)
    if status == NOT_FOUND:
        return None
    if status != OK:
        raise not_done("read", f"the run's Job {job_of(own)}", status, job)
    began, lasts_s = job.get("status", {}).get("startTime"), job["spec"].get("activeDeadlineSeconds")
    if not began or not lasts_s:
        return None
    return datetime.fromisoformat(began) + timedelta(seconds=lasts_s)


def end_steps(api: PodApi, own: Object) -> None:
    """End what earlier pods of runs left at work, and wait until it is gone: two must not write one table.

    That is all of the run's own Job, and what is not done yet of those whose pod is over or gone.

    Raises:
        SurroundingsFailed: the API server does not answer, or pods do not go.
        InputRefused: it refuses.
    """
    until = time.monotonic() + GO_S
    done = set[str]()
    while left := _left(api, own):
        for name in left - done:
            end_pod(api, name)
        done |= left
        if time.monotonic() > until:
            names = ", ".join(sorted(left))
            raise SurroundingsFailed(f"pods of an earlier try do not end: {names}", remedy=NODE)
        time.sleep(LOOK_S)


def _left(api: PodApi, own: Object) -> set[str]:
    status, body = asked(api, "GET", pods_of(api))
    if status != OK:
        raise not_done("list", "the run's steps", status, body)
    at_work = {one["metadata"]["name"] for one in body["items"] if not over(one)}
    left = set()
    for one in body["items"]:
        meta = one["metadata"]
        if (job := meta.get("labels", {}).get(STEPS_OF)) is None:
            continue
        owners = {owner["name"] for owner in meta.get("ownerReferences", ())}
        if job == job_of(own) or (meta["name"] in at_work and not owners & at_work):
            left.add(meta["name"])
    return left


def end_pod(api: PodApi, name: str) -> None:
    """
    Raises:
        SurroundingsFailed: the API server does not answer.
        InputRefused: it refuses.
    """
    status, body = asked(api, "DELETE", f"{pods_of(api)}/{name}")
    if status not in (OK, ACCEPTED, NOT_FOUND):
        raise not_done("delete", f"pod {name}", status, body)


def asked(api: PodApi, method: str, path: str, obj: object = None) -> tuple[int, dict[str, Any]]:
    """As `PodApi.call`; a right that is missing gets some seconds, for a role may only just have been written.

    Raises:
        SurroundingsFailed: the API server does not answer.
    """
    until = time.monotonic() + RIGHT_S
    while True:
        status, body = api.call(method, path, obj)
        said = str(body.get("message", ""))
        if status != UNAUTHORIZED and not (
            status == FORBIDDEN and " cannot " in said and " resource " in said
        ):
            return status, body
        if time.monotonic() > until:
            return status, body
        time.sleep(LOOK_S)


def see_volume(own: Object, platform: str, volume: Volume | None, home: Path) -> None:
    """
    Raises:
        InputRefused: this pod does not keep its runs where the platform lets its steps find them.
    """
    said = f"spec.pipeline.job.platform: {platform}"
    if volume is None:
        raise InputRefused(
            f"{said}: platform.yaml gives its steps no volume",
            remedy=f"name the claim that holds .trimtab: pods: {{volume: {{claim: …, path: {home}}}}}",
        )
    named = f"pods.volume {volume.claim} at {volume.path}"
    if Path(volume.path) != home:
        raise InputRefused(
            f"{said}: its {named} is not where a run's Job keeps .trimtab",
            remedy=f"let it be mounted at {home}: pods.volume.path of platform.yaml",
        )
    claims = {
        one["name"]: one["persistentVolumeClaim"]["claimName"]
        for one in own["spec"].get("volumes") or []
        if "persistentVolumeClaim" in one
    }
    containers = own["spec"]["containers"]
    working = next((one for one in containers if one["name"] == CONTAINER), containers[0])
    mounted = next((one for one in working.get("volumeMounts") or [] if Path(one["mountPath"]) == home), None)
    if mounted is None or claims.get(mounted["name"]) != volume.claim:
        raise InputRefused(
            f"{said}: its {named} is not mounted in the run's own pod",
            remedy=f"mount it there: spec.pipeline.job.volumes and volumeMounts, at {home}",
        )
    if part := next((key for key in ("subPath", "subPathExpr", "readOnly") if mounted.get(key)), None):
        raise InputRefused(
            f"{said}: the run's own pod mounts {named} with {part}, its steps whole and to write to",
            remedy=f"take {part} out of spec.pipeline.job.volumeMounts",
        )


def pods_of(api: PodApi) -> str:
    return f"/api/v1/namespaces/{api.namespace}/pods"


def not_done(verb: str, what: str, status: int, body: Mapping[str, Any]) -> InputRefused:
    return InputRefused(
        f"the API server refuses to {verb} {what} ({status}): {body.get('message', '')}", remedy=RIGHTS
    )
