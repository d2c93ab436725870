"""platform.yaml: where a project's things live when not in `.trimtab/`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from trimtab.api.address import no_literal_password
from trimtab.api.sources import Zone
from trimtab.api.values import Spec

Address = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(no_literal_password)]
Label = Annotated[str, Field(max_length=63)]
Variable = Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$", max_length=128)]
Bucket = Annotated[
    str, Field(pattern=r"^(s3|gs|az|abfss?)://[!-~]+$", max_length=1024), AfterValidator(no_literal_password)
]
MountPath = Annotated[str, Field(pattern=r"^/[!-~]*$", max_length=255)]


class Secret(Spec):
    """A Secret of the tasks' namespace; each key becomes an environment variable of its own name."""

    name: Label
    keys: Annotated[list[Variable], Field(min_length=1, max_length=32)]


class Volume(Spec):
    """A claim that every task mounts: `.trimtab` lies on it, so that tasks hand each other pointers, not copies."""

    claim: Label
    path: MountPath = "/trimtab"


class Toleration(Spec):
    """As in a pod."""

    key: Annotated[str, Field(max_length=316)] | None = None
    operator: Literal["Equal", "Exists"] = "Equal"
    value: Label | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class Pods(Spec):
    """How the pods of pipeline tasks are placed."""

    volume: Volume | None = Field(
        None, description="where tasks keep `.trimtab`; without it nothing is handed on"
    )
    node_selector: Annotated[dict[str, Label], Field(max_length=20)] = Field(default_factory=dict)
    tolerations: Annotated[list[Toleration], Field(max_length=20)] = Field(default_factory=list)
    image_pull_secrets: Annotated[list[Label], Field(max_length=10)] = Field(default_factory=list)
    accelerator: Annotated[str, Field(max_length=128)] = Field(
        "nvidia.com/gpu", description="the resource that training.resources.gpu counts"
    )


class Pipelines(Spec):
    """A Kubeflow Pipelines server, as this machine reaches it."""

    url: Address = Field(description="http(s)://HOST, with the path of its API: …/pipeline behind Kubeflow")
    token_file: MountPath | None = Field(
        None, description="a service account's token; in a pod, the projected one is found without it"
    )
    ca_file: MountPath | None = None
    namespace: Label = Field("", description="of a multi-user server; empty for a single-user one")
    service_account: Label = Field("trimtab-pipelines", description="under which runs work")
    time_zone: Zone = Field(
        "UTC", description="in which the server reads cron lines: its CRON_SCHEDULE_TIMEZONE"
    )


class Platform(Spec):
    """One named place to run: `trimtab --platform NAME`.

    `${VAR}` stays unexpanded in bundle, digest, logs and MLflow, and is resolved inside the step.
    """

    data_root: Address | None = Field(None, description="what relative source files are relative to")
    tables: Bucket | None = Field(
        None, description="where the tables lie: s3://…, gs://…, az://…; default: a folder in `.trimtab`"
    )
    sources: Annotated[dict[str, Address], Field(max_length=64)] = Field(
        default_factory=dict, description="files to read instead of those that trimtab.yaml names, by source"
    )
    openlineage: Address | None = Field(
        None, description="where runs send OpenLineage events: http://…, or a file that they are appended to"
    )
    projects: Address | None = Field(
        None, description="where `trimtab pipeline submit` puts the bundle, and runs read it: s3://…, gs://…"
    )
    online: Address | None = Field(
        None,
        description="the online store: redis://:${REDIS_PASSWORD}@HOST:6379/0, or http://HOST:6566 of a Feast feature "
        "server, which Feast fills; default: a file in `.trimtab`",
    )
    mlflow: Address | None = Field(None, description="the MLflow server of pipeline tasks")
    secrets: Annotated[list[Secret], Field(max_length=32)] = Field(
        default_factory=list, description="environment variables of pipeline tasks"
    )
    pods: Pods = Field(default_factory=Pods)
    pipelines: Pipelines | None = None


class Platforms(Spec):
    """The whole of platform.yaml."""

    platforms: Annotated[dict[str, Platform], Field(max_length=32)] = Field(default_factory=dict)
