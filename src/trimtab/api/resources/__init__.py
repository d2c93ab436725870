"""The custom resources of group trimtab.dev: what a person writes, and what the operator answers in `status`.

Specs reuse the nouns of trimtab.yaml. The CustomResourceDefinitions are generated from these models (`crd`), so
that a manifest that one side refuses is refused by the other.
"""

from trimtab.api.resources.act import ACT, Act, ActRefused, Verb
from trimtab.api.resources.meta import (
    API_VERSION,
    EPOCH,
    GROUP,
    VERSION,
    Condition,
    Metadata,
    ObservedStatus,
    Resource,
)
from trimtab.api.resources.monitor import DriftMonitor, DriftMonitorSpec, DriftMonitorStatus
from trimtab.api.resources.retrain import RetrainPolicy, RetrainPolicySpec, RetrainPolicyStatus
from trimtab.api.resources.rollout import ModelRollout, ModelRolloutSpec, ModelRolloutStatus, shown

RESOURCES: tuple[type[Resource], ...] = (ModelRollout, DriftMonitor, RetrainPolicy)
"""Every kind, in the order in which a person meets them."""

__all__ = [
    "ACT",
    "API_VERSION",
    "EPOCH",
    "GROUP",
    "RESOURCES",
    "VERSION",
    "Act",
    "ActRefused",
    "Condition",
    "DriftMonitor",
    "DriftMonitorSpec",
    "DriftMonitorStatus",
    "Metadata",
    "ModelRollout",
    "ModelRolloutSpec",
    "ModelRolloutStatus",
    "ObservedStatus",
    "Resource",
    "RetrainPolicy",
    "RetrainPolicySpec",
    "RetrainPolicyStatus",
    "Verb",
    "shown",
]
