"""What monitors and policies know of the rollout that they name: how it is steered, what serves, what it stores."""

from datetime import timedelta
from typing import Final, TypeVar

from pydantic import ValidationError

from operators.drift.handlers.cohorts import Cohorts
from operators.drift.handlers.look import Unfounded
from operators.drift.surroundings import Models
from trimtab.adapters.children import Fact, Place
from trimtab.adapters.gateway_api import ParentRef, RouteSpec
from trimtab.adapters.kserve import name_served, template_text
from trimtab.adapters.kubernetes import ResourceState
from trimtab.adapters.kubernetes.kinds import MODEL_ROLLOUT
from trimtab.adapters.kubernetes.state import PUBLISHED
from trimtab.api.errors import InputRefused
from trimtab.api.resources import ModelRollout
from trimtab.api.rollout_status import RevisionRef, RolloutStatus
from trimtab.api.values import Stored
from trimtab.control import Target
from trimtab.ports.cluster import Cluster, Object

CLOSED_EVERY: Final = timedelta(minutes=1)
S = TypeVar("S", bound=Stored)


def named_rollout(cluster: Cluster, namespace: str, name: str) -> tuple[ModelRollout, RolloutStatus]:
    """
    Raises:
        Unfounded: there is none of this name, or its spec is wrong.
    """
    obj = cluster.get(MODEL_ROLLOUT, namespace, name)
    if obj is None:
        raise Unfounded("RolloutNotFound", f"there is no ModelRollout '{name}' in namespace {namespace}")
    try:
        rollout = ModelRollout.from_wire(obj)
    except (ValidationError, InputRefused):
        raise Unfounded(
            "RolloutInvalid", f"the spec of ModelRollout '{name}' is wrong: see its conditions"
        ) from None
    return served(cluster, rollout)[0], stored(RolloutStatus, obj)


def served(cluster: Cluster, rollout: ModelRollout) -> tuple[ModelRollout, Fact]:
    """The rollout under the name by which its servers answer, whatever the spec says by now; and ModelNameFixed."""
    spec = rollout.spec
    name, fact = name_served(cluster, place_of(rollout), spec.model_name)
    if name == spec.model_name:
        return rollout, fact
    return rollout.model_copy(update={"spec": spec.model_copy(update={"model_name": name})}), fact


def stored(model: type[S], obj: Object) -> S:
    """What another resource's status says; as if nothing yet, where somebody wrote nonsense into it."""
    body = {key: value for key, value in (obj.get("status") or {}).items() if key not in PUBLISHED}
    try:
        return model.model_validate(body)
    except ValidationError:
        return model()


def target_of(rollout: ModelRollout, models: Models, known: Cohorts, tick: timedelta) -> Target:
    """Blocks and the maturity of labels are those of the stable model's own profile."""
    spec, metadata = rollout.spec, rollout.metadata
    scope, registry = f"{metadata.namespace}.{metadata.name}", spec.model.registry
    return Target(
        name=metadata.name,
        cut=known.cut,
        mature_after=known.mature_after,
        tick=tick,
        poll_every=registry.poll_every if registry is not None else timedelta(hours=1),
        model=models.name,
        served=spec.model_name,
        host=metadata.name,
        scope=scope,
        template=template_text(spec.serving.template),
        alias=registry.alias if registry is not None else "candidate",
        # MLflow's aliases take neither dots nor slashes; names of Kubernetes hold no underscore.
        stable_alias=f"stable_{metadata.namespace}_{metadata.name}" if registry is not None else "stable",
        closed_every=CLOSED_EVERY,
    )


def route_spec(rollout: ModelRollout) -> RouteSpec:
    """How its route is to be."""
    spec = rollout.spec
    return RouteSpec(
        parents=tuple(
            ParentRef(ref.name, ref.namespace or "", ref.section_name or "", ref.port)
            for ref in spec.route.parent_refs
        ),
        hostnames=spec.route.hostnames,
        model_name=spec.model_name,
        match=spec.route.match.value,
        in_cluster=spec.route.in_cluster,
        timeout_s=spec.serving.timeout.total_seconds(),
    )


def place_of(rollout: ModelRollout) -> Place:
    """Whose children its route and servers are."""
    at = rollout.metadata
    return Place(at.namespace, at.name, at.uid, rollout.spec.service_account_name)


def stable_of(state: ResourceState) -> RevisionRef | None:
    """The stable revision that a rollout's status names, whatever else is in it."""
    return _named(state, "stable")


def in_hand(state: ResourceState) -> list[RevisionRef]:
    """The revisions that a rollout's status names: what is to become of each is still to be noted."""
    found = (_named(state, role) for role in ("stable", "previous", "candidate"))
    return [one for one in found if one is not None]


def _named(state: ResourceState, role: str) -> RevisionRef | None:
    held = (state.resource() or {}).get("status", {}).get(role)
    try:
        return RevisionRef.model_validate(held) if held else None
    except ValidationError:
        return None
