"""How good a model is: metrics, calibration, slices, skill beside climatology, gates before a rollout.

Pure functions of arrays (NumPy only): labels, predictions, and the local day that each row belongs to.
"""

from trimtab.quality.metrics import METRICS, Metric, evaluate

__all__ = ["METRICS", "Metric", "evaluate"]
