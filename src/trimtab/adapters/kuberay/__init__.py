"""Workers in pods of their own: a RayJob of KubeRay's beside the pod that trains, for as long as a task runs."""

from trimtab.adapters.kuberay.pods import RayPods
from trimtab.adapters.kuberay.trials import KubeRayTrials
from trimtab.adapters.kuberay.workers import KubeRayWorkers

__all__ = ["KubeRayTrials", "KubeRayWorkers", "RayPods"]
