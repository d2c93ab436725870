"""The Job of a key, as it is created. Its name follows from the key, so the API server itself makes it once."""

import json
from collections.abc import Mapping
from typing import Any, Final

from trimtab.api.errors import ExitStatus
from trimtab.api.resources.retrain import JobTemplate, Pipeline
from trimtab.ports.cluster import Kind, Object

JOB: Final = Kind("batch", "v1", "Job", "jobs")
RUN_LABEL: Final = "trimtab.dev/run"
CONTAINER: Final = "run"
RESTRICTED: Final[Mapping[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
"""What a container of a run may do: what Pod Security's `restricted` grants, and nothing outside its volumes."""
HOME: Final = "/trimtab"
"""Where a run keeps `.trimtab`: a volume mounted here by the policy outlives the pod, so a retry goes on."""
WRITABLE: Final = {HOME: "trimtab-home", "/tmp": "trimtab-tmp"}
"""All of the file system that a run writes to, with the volume's name where the policy mounts none itself."""

_POLICY_CHARACTERS: Final = 40


def job_name(policy: str, key: str) -> str:
    """At most 57 characters, for it labels pods.

    >>> job_name("flights", "0123456789abcdef" * 4)
    'flights-0123456789abcdef'
    """
    return f"{policy[:_POLICY_CHARACTERS].replace('.', '-').rstrip('-')}-{key[:16]}"


def job_of(
    policy: str,
    namespace: str,
    key: str,
    pipeline: Pipeline,
    template: JobTemplate,
    parameters: Mapping[str, str],
    environment: Mapping[str, str],
    owner: Object | None,
) -> dict[str, Any]:
    """
    Args:
        parameters: of the run, beside project, key and claims.
        environment: of the pod, beside what the template says.
        owner: the policy's object, with which the Job goes.
    """
    name = job_name(policy, key)
    labels = {RUN_LABEL: name, "app.kubernetes.io/managed-by": "trimtab", "trimtab.dev/policy": policy[:63]}
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "labels": labels,
        "annotations": {"trimtab.dev/key": key},
    }
    if owner is not None:
        metadata["ownerReferences"] = [{**_reference(owner), "controller": True, "blockOwnerDeletion": False}]
        environment = {**environment, "TRIMTAB_OWNER": json.dumps(_reference(owner))}
    pod = {
        "metadata": {"labels": labels},
        "spec": _pod(namespace, key, pipeline, template, parameters, environment),
    }
    return {
        "apiVersion": JOB.api_version,
        "kind": JOB.kind,
        "metadata": metadata,
        "spec": {
            "backoffLimit": template.retries,
            "activeDeadlineSeconds": int(template.deadline.total_seconds()),
            "ttlSecondsAfterFinished": int(template.keep.total_seconds()),
            "podFailurePolicy": {"rules": _what_is_not_tried_again()},
            "podReplacementPolicy": "Failed",
            "template": pod,
        },
    }


def _pod(
    namespace: str,
    key: str,
    pipeline: Pipeline,
    template: JobTemplate,
    parameters: Mapping[str, str],
    environment: Mapping[str, str],
) -> dict[str, Any]:
    mounts = [dict(mount) for mount in template.volume_mounts]
    volumes = [dict(volume) for volume in template.volumes]
    taken = {str(mount.get("mountPath")).rstrip("/") for mount in mounts}
    for path, name in WRITABLE.items():
        if path not in taken:
            mounts.append({"name": name, "mountPath": path})
            volumes.append({"name": name, "emptyDir": {}})
    said = json.dumps(dict(parameters), sort_keys=True)
    told = {"HOME": HOME, "TRIMTAB_IMAGE": template.image, "TRIMTAB_PARAMETERS": said, **environment}
    run = {"fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/controller-uid']"}}
    resources = {"cpu": template.cpu, "memory": template.memory}
    if template.gpu:
        resources[template.accelerator] = str(template.gpu)
    placed = ("--platform", template.platform) if template.platform else ()
    container = {
        "name": CONTAINER,
        "image": template.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "trimtab.local.job"],
        "args": [
            *("--project", pipeline.project),
            *("--key", key),
            *("--claims", namespace),
            *("--home", HOME),
            *placed,
        ],
        "env": [
            {"name": "TRIMTAB_RUN", "valueFrom": run},
            {"name": "TRIMTAB_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            *({"name": name, "value": value} for name, value in told.items()),
            *(dict(variable) for variable in template.env),
        ],
        "envFrom": [dict(source) for source in template.env_from],
        "resources": {"requests": resources, "limits": resources},
        "volumeMounts": mounts,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": dict(RESTRICTED),
    }
    return {
        "restartPolicy": "Never",
        "serviceAccountName": pipeline.service_account_name,
        "containers": [container],
        "volumes": volumes,
        "nodeSelector": dict(template.node_selector),
        "tolerations": [dict(one) for one in template.tolerations],
        "imagePullSecrets": [dict(one) for one in template.image_pull_secrets],
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, **template.security_context},
    }


def _what_is_not_tried_again() -> list[dict[str, Any]]:
    """A pod that was pushed off its node counts for nothing; one that says no would say it again."""
    said_no = [int(ExitStatus.NO), int(ExitStatus.INPUT)]
    return [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {
            "action": "FailJob",
            "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": said_no},
        },
    ]


def _reference(owner: Object) -> dict[str, Any]:
    meta = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
    }
