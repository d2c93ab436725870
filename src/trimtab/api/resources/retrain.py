"""RetrainPolicy: when does a pipeline run, and when must it not?"""

from datetime import timedelta
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from trimtab.api.resources.meta import Json, ObservedStatus, Resource, ResourceName
from trimtab.api.resources.monitor import Target
from trimtab.api.retrain import OnDrift, OnPerformance, OnSchedule, Retrain, RetrainStatus, Trigger
from trimtab.api.values import Duration, Name, Spec, Stored

Quantity = Annotated[
    str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$", max_length=20, strict=True)
]
"""An amount of cpu or memory as Kubernetes writes it."""


class Parameter(Spec):
    """One run parameter of the pipeline.

    Attributes:
        name: as the pipeline names it.
        value: its text.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=63)]
    value: Annotated[str, Field(max_length=4096)]


class JobTemplate(Spec):
    """A run without Kubeflow Pipelines: one Job that runs the whole pipeline, in one pod or with a pod for each step.

    Attributes:
        image: holds trimtab and what the pipeline's steps import.
        platform: of the project's platform.yaml: each step runs in a pod of its own, with the image, resources,
            secrets, volume and placing that the compiled pipeline has there; the Job's pod only puts them in order.
            Unset: all in the Job's pod.
        cpu: request and limit of the pod.
        memory: request and limit of the pod.
        gpu: accelerators of the pod, whole ones; 0 for none.
        accelerator: the resource that gpu counts, as its device plugin names it.
        env: environment variables, as in a container.
        env_from: sources of environment variables, as in a container.
        volumes: as in a pod.
        volume_mounts: as in a container.
        deadline: a run that takes longer has failed.
        retries: how often a pod that failed is started again.
        keep: how long a Job that ended stays.
        node_selector: labels of the nodes that may run it.
        tolerations: as in a pod.
        image_pull_secrets: as in a pod.
        security_context: as in a pod; a namespace that enforces `restricted` wants {runAsNonRoot: true}.
    """

    image: Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=512)]
    platform: Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=63)] | None = None
    cpu: Quantity = "2"
    memory: Quantity = "4Gi"
    gpu: Annotated[int, Field(ge=0, le=64)] = 0
    accelerator: Annotated[
        str,
        StringConstraints(
            pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
            max_length=128,
        ),
    ] = "nvidia.com/gpu"
    env: Annotated[tuple[Json, ...], Field(max_length=100)] = ()
    env_from: Annotated[tuple[Json, ...], Field(max_length=20)] = ()
    volumes: Annotated[tuple[Json, ...], Field(max_length=20)] = ()
    volume_mounts: Annotated[tuple[Json, ...], Field(max_length=20)] = ()
    deadline: Duration = timedelta(hours=6)
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    keep: Duration = timedelta(days=7)
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=20)] = {}  # noqa: RUF012
    tolerations: Annotated[tuple[Json, ...], Field(max_length=20)] = ()
    image_pull_secrets: Annotated[tuple[Json, ...], Field(max_length=10)] = ()
    security_context: Json = {}  # noqa: RUF012


class Pipeline(Spec):
    """What runs. Exactly one of `providerRef` (Kubeflow Pipelines) and `job`.

    Attributes:
        provider_ref: name of a Kubeflow Pipelines server in the operator's configuration; goes with `name`.
        name: the pipeline as that server knows it.
        job: run it as a Job instead.
        project: address of the project bundle, which ends in its digest.
        parameters: run parameters, beside those that the operator gives.
        service_account_name: service account of this namespace that the run uses; who writes the policy must be
            allowed to impersonate it.
    """

    provider_ref: Name | None = None
    name: (
        Annotated[
            str, StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_. ]*[-A-Za-z0-9_.])?$", max_length=128)
        ]
        | None
    ) = None
    job: JobTemplate | None = None
    project: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*://[!-~]+$", max_length=2048)]
    parameters: Annotated[tuple[Parameter, ...], Field(max_length=50)] = ()
    service_account_name: Name = "trimtab-pipelines"

    @model_validator(mode="after")
    def _one_runner(self) -> Self:
        if (self.provider_ref is None) == (self.job is None):
            raise ValueError("give exactly one of providerRef and job")
        if (self.provider_ref is None) != (self.name is None):
            raise ValueError("name goes with providerRef, and providerRef needs it")
        names = [parameter.name for parameter in self.parameters]
        if len(set(names)) != len(names):
            raise ValueError("two parameters have one name")
        return self


class OnMonitorPerformance(OnPerformance):
    """A run when the monitor holds performance to have dropped.

    Attributes:
        monitor_ref: a DriftMonitor of this namespace; all triggers of a policy name the same.
    """

    monitor_ref: ResourceName


class OnMonitorDrift(OnDrift):
    """A run when inputs drift; without this trigger drift only annotates.

    Attributes:
        monitor_ref: a DriftMonitor of this namespace; all triggers of a policy name the same.
    """

    monitor_ref: ResourceName


_ITEM = r"(\*|{n}(-{n})?)(/[1-9][0-9]{{0,2}})?"


def _cron_field(number: str) -> str:
    item = _ITEM.format(n=number)
    return f"{item}(,{item})*"


CRON: Final = "^{}$".format(
    " ".join(
        map(
            _cron_field,
            ("[0-5]?[0-9]", "([01]?[0-9]|2[0-3])", "(0?[1-9]|[12][0-9]|3[01])", "(0?[1-9]|1[0-2])", "[0-7]"),
        )
    )
)


class PolicySchedule(OnSchedule):
    """A run at each time of a five-field cron line (minute hour day month weekday), in a time zone.

    Attributes:
        cron: minute, hour, day of month, month, day of week; numbers, ranges, lists, * and /steps.
        time_zone: IANA name, such as Europe/Berlin.
    """

    cron: Annotated[str, StringConstraints(pattern=CRON, max_length=100)]
    time_zone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$", max_length=64)] = (
        "Etc/UTC"
    )


class PolicyTrigger(Trigger):
    """One reason to retrain; exactly one kind."""

    performance: OnMonitorPerformance | None = None
    drift: OnMonitorDrift | None = None
    schedule: PolicySchedule | None = None

    @property
    def monitor_ref(self) -> str | None:
        """The monitor whose episodes pull this trigger, if any does."""
        watched = self.performance or self.drift
        return watched.monitor_ref if watched else None


class RetrainPolicySpec(Retrain):
    """What runs, what asks for it, and what holds it back.

    Attributes:
        triggers: reasons to run.
        target: the rollout that the new model is for; default the monitor's. Needed where no trigger names a monitor.
        suspend: start no runs; one that runs goes on.
    """

    pipeline: Pipeline
    triggers: Annotated[tuple[PolicyTrigger, ...], Field(min_length=1, max_length=20)]
    target: Target | None = None
    suspend: bool = False

    @model_validator(mode="after")
    def _one_monitor(self) -> Self:
        monitors = {trigger.monitor_ref for trigger in self.triggers} - {None}
        if len(monitors) > 1:
            raise ValueError("all monitorRefs of a policy name the same monitor")
        if not monitors and self.target is None:
            raise ValueError("no trigger names a monitor, so target.rolloutRef is needed")
        return self

    @property
    def monitor_ref(self) -> str | None:
        """The one monitor that triggers name, if any does."""
        return next((trigger.monitor_ref for trigger in self.triggers if trigger.monitor_ref), None)

    def retrain(self) -> Retrain:
        """Triggers and guards, as the decisions take them."""
        return Retrain(triggers=self.triggers, guards=self.guards)


class CurrentRun(Stored):
    """The run that is under way.

    Attributes:
        run_id: as Kubeflow Pipelines knows it, or the Job's name.
        state: as its runner says.
        url: where a person can look at it.
    """

    run_id: str
    state: str = ""
    started_at: AwareDatetime | None = None
    url: str = ""


class RetrainPolicyStatus(ObservedStatus, RetrainStatus):
    """What the policy has done.

    Attributes:
        current: the run that is under way.
    """

    current: CurrentRun | None = None


class RetrainPolicy(Resource):
    """Runs a training pipeline when performance drops, inputs drift, time comes, data arrives or somebody says so."""

    PLURAL: ClassVar[str] = "retrainpolicies"
    SHORT: ClassVar[str] = "rtp"
    SPEC: ClassVar[type[Spec]] = RetrainPolicySpec
    STATUS: ClassVar[type[ObservedStatus]] = RetrainPolicyStatus

    kind: Literal["RetrainPolicy"] = "RetrainPolicy"
    spec: RetrainPolicySpec
