"""ModelRollout: how does a revision earn its traffic?"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from trimtab.api.resources.meta import Json, ObservedStatus, Resource
from trimtab.api.rollout import Check, Rollout, Strategy
from trimtab.api.rollout_status import RevisionRef, RolloutStatus
from trimtab.api.values import Duration, Name, Spec, Stored

Uri = Annotated[
    str, StringConstraints(pattern=r"^(s3|gs|pvc|hf|https|oci)://[!-~]+$", max_length=2048, strict=True)
]
"""Where a model folder lies, on a storage that KServe's initializer can read."""

Hostname = Annotated[
    str,
    StringConstraints(
        pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        min_length=1,
        max_length=253,
        strict=True,
    ),
]
"""A host as Gateway API knows it; a leading `*.` stands for one or more labels."""


class RegistryModel(Spec):
    """A model that a registry names: what the alias points to is the candidate.

    Attributes:
        provider_ref: name of a registry in the operator's configuration.
        name: the registered model.
        alias: whatever version carries it is the wished one.
        poll_every: how often the alias is looked up.
    """

    provider_ref: Name
    name: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_. ]*[-A-Za-z0-9_.])?$", max_length=128)
    ]
    alias: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_]*$", max_length=128)] = (
        "candidate"
    )
    poll_every: Duration = timedelta(seconds=60)


class Model(Spec):
    """The wished model: from a registry, or pinned by its address. Exactly one of `registry` and `uri`.

    Attributes:
        registry: follow an alias.
        uri: folder of one immutable model: s3, gs, pvc, hf, https or oci.
        version: what people call the model at `uri`.
        digest: sha256 of the folder's manifest, as `trimtab` exports it; without one the address must be
            write-once, since it alone tells revisions apart.
    """

    registry: RegistryModel | None = None
    uri: Uri | None = None
    version: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]*$", max_length=63)] | None
    ) = None
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", max_length=64)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.registry is None) == (self.uri is None):
            raise ValueError("give exactly one of registry and uri")
        if (self.uri is None) != (self.version is None):
            raise ValueError("version goes with uri, and uri needs it")
        if self.digest is not None and self.uri is None:
            raise ValueError("digest goes with uri; a registry knows it")
        return self


class Serving(Spec):
    """How a revision is served.

    Attributes:
        template: an InferenceService's `predictor` and optional `transformer`, as KServe documents them; the
            model's address is filled in. Judged by a server-side dry run (condition TemplateValid).
        timeout: a request that takes longer is ended by the gateway.
        drain: how long a server that leaves may finish its requests.
    """

    template: Json
    timeout: Duration = timedelta(seconds=60)
    drain: Duration = timedelta(seconds=30)

    @model_validator(mode="after")
    def _has_predictor(self) -> Self:
        if not isinstance(self.template.get("predictor"), dict):
            raise ValueError("template needs a predictor")
        return self


class ParentRef(Spec):
    """A gateway that the route attaches to; it must allow this namespace.

    Attributes:
        name: the Gateway.
        namespace: where it stands; default the rollout's own.
        section_name: one of its listeners; default all that fit.
        port: a listener's port.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
    namespace: Name | None = None
    section_name: (
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)] | None
    ) = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None


class Match(StrEnum):
    """Which requests of the hosts belong to this rollout."""

    MODEL = "Model"
    HOST = "Host"


class Route(Spec):
    """How requests come to the model: one HTTPRoute, wholly the operator's.

    Attributes:
        parent_refs: the gateways.
        hostnames: hosts that the route answers for; default every host of the listeners.
        match: Model takes the paths of this model (`/v1/models/<modelName>` and `/v2/models/<modelName>/…`);
            Host takes every path of the hosts.
        in_cluster: also a Service of the rollout's name that leads to the gateway, so that callers inside the
            cluster are split too (condition InClusterAddress).
    """

    parent_refs: Annotated[tuple[ParentRef, ...], Field(min_length=1, max_length=8)]
    hostnames: Annotated[tuple[Hostname, ...], Field(max_length=16)] = ()
    match: Match = Match.MODEL
    in_cluster: bool = True

    @model_validator(mode="after")
    def _host_needs_hosts(self) -> Self:
        if self.match is Match.HOST and not self.hostnames:
            raise ValueError("match: Host takes every path, so it needs hostnames")
        return self


class DeletionPolicy(StrEnum):
    """What becomes of route and servers when the rollout is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class ModelRolloutSpec(Spec):
    """What is wished: which model serves whom, and how a new one earns its traffic.

    Attributes:
        model_name: the name by which clients call the model, the same for every revision; never changes.
        service_account_name: service account of this namespace by which everything is written; who writes the
            rollout must be allowed to impersonate it.
        checks: what a candidate must pass.
        deletion_policy: Retain leaves route and stable serving, without an owner; Delete removes them.
        suspend: hold progress; safety is never held.
    """

    model: Model
    model_name: Name
    serving: Serving
    service_account_name: Name = "trimtab-rollout"
    route: Route
    strategy: Strategy = Strategy()
    checks: Annotated[tuple[Check, ...], Field(max_length=20)] = Rollout().checks
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN
    suspend: bool = False

    @model_validator(mode="after")
    def _checks_fit_steps(self) -> Self:
        self.rollout()
        for step in self.strategy.steps:
            if step.preview and step.preview.hostname in self.route.hostnames:
                raise ValueError(
                    f"step '{step.name}': the host of a preview is another one than the model's own"
                )
        return self

    def rollout(self) -> Rollout:
        """Strategy and checks side by side, as the decisions take them."""
        return Rollout(
            **{name: getattr(self.strategy, name) for name in Strategy.model_fields}, checks=self.checks
        )


class RevisionSeen(RevisionRef):
    """A revision and how it is served.

    Attributes:
        inference_service: the InferenceService that serves it.
        ready: whether that is ready.
    """

    inference_service: str = ""
    ready: bool = False


class Shares(Stored):
    """Percent of the requests, as observed on the route; mirror is of copies."""

    stable: int = 0
    candidate: int = 0
    mirror: int = 0


class Address(Stored):
    """Where callers find the model."""

    url: str


class ModelRolloutStatus(ObservedStatus, RolloutStatus):
    """Where the rollout stands, and the evidence that it has paid for.

    Attributes:
        stable: the revision that serves.
        candidate: the one that is on its way.
        previous: the one before stable, kept warm for an undo.
        shares: traffic in words.
        verdict: of the checks at the step under way, the worst.
        address: where callers find the model.
    """

    stable: RevisionSeen | None = None
    candidate: RevisionSeen | None = None
    previous: RevisionSeen | None = None
    shares: Shares = Shares()
    verdict: str = ""
    address: Address | None = None


class ModelRollout(Resource):
    """Serves a model on KServe, and lets a new revision take over only by passing a shadow and canary steps."""

    PLURAL: ClassVar[str] = "modelrollouts"
    SHORT: ClassVar[str] = "mr"
    SPEC: ClassVar[type[Spec]] = ModelRolloutSpec
    STATUS: ClassVar[type[ObservedStatus]] = ModelRolloutStatus

    kind: Literal["ModelRollout"] = "ModelRollout"
    spec: ModelRolloutSpec


_WORST: Final = ("Fail", "Inconclusive", "Pass")


def shown(stored: RolloutStatus, mirror_percent: int = 0) -> Mapping[str, object]:
    """What a status says in words beside what is stored: `shares` and `verdict`, as on the wire.

    Args:
        stored: the status.
        mirror_percent: of requests copied to the candidate, as observed on the route.
    """
    percent = stored.traffic
    stable = percent.get(stored.stable.revision, 0) if stored.stable else 0
    candidate = percent.get(stored.candidate.revision, 0) if stored.candidate else 0
    mirror = mirror_percent if stored.mirror else 0
    verdicts = {check.verdict for check in stored.checks if stored.step and check.step == stored.step.name}
    verdict = next((one for one in _WORST if one in verdicts), "")
    return {
        "shares": Shares(stable=stable, candidate=candidate, mirror=mirror).model_dump(by_alias=True),
        "verdict": verdict,
    }
