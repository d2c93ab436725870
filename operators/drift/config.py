"""The operator's configuration: one YAML file, checked whole at the start, with the path of each wrong field.

Where KFP, MLflow and Prometheus are, and with which credentials, stands here and nowhere else: a resource names a
provider, so that nobody can point the operator's credentials at a host of theirs.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from trimtab.adapters.clock import PacedClock
from trimtab.adapters.namespaced_collector import CollectorSettings, Fence
from trimtab.api.document import read, validate
from trimtab.api.errors import InputRefused
from trimtab.api.resources.meta import Json
from trimtab.api.values import Duration, Name, Spec

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+(/\S*)?$", max_length=2048)]
"""An address of http or https without a user name or password in it."""


class Provider(Spec):
    """One server that resources may name.

    Attributes:
        name: what a `providerRef` says.
        url: where it answers.
        token_file: holds a bearer token; read anew for each request, so that it may rotate.
        ca_file: certificates that its own is checked against; default those of the image.
        namespaces: which namespaces may name it; default all.
    """

    name: Name
    url: Url
    token_file: Path | None = None
    ca_file: Path | None = None
    namespaces: tuple[Name, ...] = ()

    def allows(self, namespace: str) -> bool:
        return not self.namespaces or namespace in self.namespaces


class Kubeflow(Provider):
    """A Kubeflow Pipelines API server.

    Attributes:
        namespace: where its runs run; default the policy's own namespace.
    """

    namespace: Name | None = None


class Providers(Spec):
    """Servers by kind; names are unique within a kind.

    Attributes:
        mlflow: registries that a rollout's alias and a monitor's reference may be looked up in.
        kubeflow: Kubeflow Pipelines API servers that a policy's runs may be started on.
        prometheus: servers that a check of a metric may ask.
    """

    mlflow: tuple[Provider, ...] = ()
    kubeflow: tuple[Kubeflow, ...] = ()
    prometheus: tuple[Provider, ...] = ()

    @model_validator(mode="after")
    def _unique(self) -> Self:
        for kind in ("mlflow", "kubeflow", "prometheus"):
            names = [one.name for one in getattr(self, kind)]
            if twice := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"two {kind} providers are named '{min(twice)}'")
        return self


class LeaseSettings(Spec):
    """Who of the replicas works.

    Attributes:
        name: of the Lease.
        namespace: where it stands.
        duration: a leader that is silent for so long is replaced.
        renew_deadline: a leader that could not renew for so long ends itself; below `duration`.
    """

    name: Name = "trimtab-operator"
    namespace: Name = "trimtab-system"
    duration: Duration = timedelta(seconds=12)
    renew_deadline: Duration = timedelta(seconds=8)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not timedelta(seconds=1) <= self.renew_deadline < self.duration:
            raise ValueError("renewDeadline is at least 1s, and below duration")
        return self


class Collectors(Spec):
    """The collector of each namespace.

    Attributes:
        image: holds trimtab and its collector; the operator's own image does. "" makes none.
        address: where they answer, with {namespace} in it; default the Service of each. For an operator that runs
            outside the cluster.
        storage: size of each log's volume; "" keeps it in the pod.
        storage_class: default the cluster's.
        cpu: request of its pod.
        memory: request and limit of its pod.
        keep_days: days of event time that are held.
        image_pull_policy: when nodes ask the registry.
        image_pull_secrets: names of Secrets that open the registry, in each namespace that has a collector.
        node_selector: labels of the nodes that may run it.
        network_policy: fence each one by a NetworkPolicy: only predictors beside it, the operator's pods and
            `allowed_from` may ask it, and it may ask nobody. One that was made goes when this is switched off.
        allowed_from: who else may ask collectors, each a peer as in a NetworkPolicy.
    """

    image: Annotated[str, Field(max_length=512)] = ""
    address: Annotated[str, StringConstraints(pattern=r"^(https?://\S+)?$", max_length=512)] = ""
    storage: Annotated[str, StringConstraints(pattern=r"^([0-9]+(Ki|Mi|Gi|Ti))?$", max_length=20)] = "10Gi"
    storage_class: Annotated[str, Field(max_length=253)] = ""
    cpu: Annotated[str, Field(max_length=20)] = "100m"
    memory: Annotated[str, Field(max_length=20)] = "512Mi"
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 400
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    image_pull_secrets: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=253)], ...], Field(max_length=10)
    ] = ()
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=20)] = {}  # noqa: RUF012  # pydantic copies it
    network_policy: bool = False
    allowed_from: Annotated[tuple[Json, ...], Field(max_length=50)] = ()

    def settings(self, operator_namespace: str) -> CollectorSettings:
        """
        Args:
            operator_namespace: where the operator's pods are.
        """
        return CollectorSettings(
            image=self.image,
            storage=self.storage,
            storage_class=self.storage_class,
            cpu=self.cpu,
            memory=self.memory,
            keep_days=self.keep_days,
            image_pull_policy=self.image_pull_policy,
            image_pull_secrets=self.image_pull_secrets,
            node_selector=self.node_selector,
            fence=Fence(operator_namespace, self.allowed_from) if self.network_policy else None,
        )


class Listen(Spec):
    """Where /healthz, /readyz and /metrics answer, and events are posted.

    Attributes:
        host: address of the interface.
        port: 0 takes a free one.
    """

    host: Annotated[str, Field(max_length=253)] = "0.0.0.0"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080


class Rehearsal(Spec):
    """The loop's time, sped up: days of windows, steps and cooldowns pass in minutes. Deadlines of the machine do not.

    Attributes:
        since: when it began, by the machine's time.
        start: what the time was then; default `since`.
        speed: seconds of it in one of the machine's.
    """

    since: AwareDatetime
    start: AwareDatetime | None = None
    speed: Annotated[int, Field(ge=1, le=86_400)]

    def clock(self) -> PacedClock:
        return PacedClock(self.since, self.start or self.since, self.speed)


class Configuration(Spec):
    """All that the operator must be told.

    Attributes:
        namespaces: those that it looks after; empty for all.
        lease: who of the replicas works.
        log_level: least level of the lines that are written, each a JSON object.
        listen: where it answers.
        workers: looks at a time, of each kind.
        tick: how often a step under way is looked at.
        settle: how long a route must have been as it is before a server that it no longer names may go.
        services: how Services are reached from outside the cluster, with {namespace}, {service} and {port} in it, such
            as http://127.0.0.1:8001/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy beside `kubectl
            proxy`; default by their names.
        gateways: how a Gateway's listener is reached from outside the cluster, HOST:PORT with {namespace}, {name} and
            {port} in it; default by its addresses.
        cache: folder for profiles that were fetched; may be lost.
        collector: how collectors are made, one in each namespace that has a rollout.
        providers: servers that resources may name.
        rehearsal: for a cluster where nobody's traffic is at stake; default none: time is the machine's.
    """

    namespaces: Annotated[tuple[Name, ...], Field(max_length=500)] = ()
    lease: LeaseSettings = LeaseSettings()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    listen: Listen = Listen()
    workers: Annotated[int, Field(ge=1, le=64)] = 4
    tick: Duration = timedelta(seconds=10)
    settle: Duration = timedelta(seconds=10)
    services: Annotated[str, StringConstraints(pattern=r"^(https?://\S+)?$", max_length=512)] = ""
    gateways: Annotated[str, StringConstraints(pattern=r"^(\S+:\S+)?$", max_length=512)] = ""
    cache: Path = Path("/tmp/trimtab")
    collector: Collectors = Collectors()
    providers: Providers = Providers()
    rehearsal: Rehearsal | None = None

    @property
    def speed(self) -> float:
        """Seconds of the loop's time in one of the machine's."""
        return self.rehearsal.speed if self.rehearsal else 1.0

    @model_validator(mode="after")
    def _ticks(self) -> Self:
        if self.tick < timedelta(seconds=1):
            raise ValueError("tick is at least 1s")
        return self


def load(path: Path | None) -> Configuration:
    """The configuration in a file; the defaults without one.

    Raises:
        InputRefused: the file cannot be read, or a field is wrong: each with its line, path and remedy.
    """
    if path is None:
        return Configuration()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefused(f"{path} cannot be read: {error}", remedy="give --config a YAML file") from error
    document = read(text, str(path))
    return Configuration() if document.data is None else validate(Configuration, document)
