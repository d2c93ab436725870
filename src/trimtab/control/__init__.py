"""Observe, decide, apply: the reconciles of a rollout, a monitor and a retraining policy, over ports.

The laptop and the operator hand in different adapters; what is decided, and in which order it is written, is here.
"""

from trimtab.control.loop import Loop, Ticked
from trimtab.control.monitor import ReconcileMonitor
from trimtab.control.monitor_conditions import monitor_conditions
from trimtab.control.retrain import ReconcileRetrain
from trimtab.control.rollout import ReconcileRollout
from trimtab.control.single import SingleVersion, digest_of_address
from trimtab.control.target import Target

__all__ = [
    "Loop",
    "ReconcileMonitor",
    "ReconcileRetrain",
    "ReconcileRollout",
    "SingleVersion",
    "Target",
    "Ticked",
    "digest_of_address",
    "monitor_conditions",
]
