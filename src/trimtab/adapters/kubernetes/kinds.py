"""The kinds of trimtab.dev, and those that every one of them rests on, where the API server serves them."""

from typing import Final

from trimtab.api.resources import GROUP, VERSION, DriftMonitor, ModelRollout, RetrainPolicy
from trimtab.ports.cluster import Kind

MODEL_ROLLOUT: Final = Kind(GROUP, VERSION, "ModelRollout", ModelRollout.PLURAL)
DRIFT_MONITOR: Final = Kind(GROUP, VERSION, "DriftMonitor", DriftMonitor.PLURAL)
RETRAIN_POLICY: Final = Kind(GROUP, VERSION, "RetrainPolicy", RetrainPolicy.PLURAL)
NAMESPACE: Final = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
EVENT: Final = Kind("events.k8s.io", "v1", "Event", "events")

REGISTRY: Final = f"{GROUP}/registry"
"""Annotation that stands in for a registry where the model is written into the rollout."""
ROLLOUT_LABEL: Final = f"{GROUP}/rollout"
FINALIZER: Final = f"{GROUP}/retain"
