"""trimtab closes the loop: data, training, serving, drift, retraining, shadow, canary, promotion.

    project = trimtab.Project.load("churn")
    report = trimtab.drift.compare(before, now)

Importing it loads nothing; names come on first use (PEP 562). It tells libraries that report home not to,
before any of them is there to read that; who wants them to sets the variable first.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab import drift
    from trimtab.local.project_api import Project

__all__ = ["Project", "drift"]

# ONNX Runtime 1.32 uploads, and leaves a file `.ses` where scratch files go.
for _name, _off in (
    ("ORT_DISABLE_TELEMETRY", "1"),
    ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ("FEAST_USAGE", "False"),
):
    os.environ.setdefault(_name, _off)


def __getattr__(name: str) -> object:
    if name == "Project":
        return import_module("trimtab.local.project_api").Project
    if name == "drift":
        return import_module("trimtab.drift")
    raise AttributeError(f"module 'trimtab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
