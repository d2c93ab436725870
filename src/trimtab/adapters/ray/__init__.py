"""Processes of Ray: on this machine, or on the cluster that RAY_ADDRESS names."""

from trimtab.adapters.ray.trials import RayTrials
from trimtab.adapters.ray.workers import RayWorkers

__all__ = ["RayTrials", "RayWorkers"]
