"""MLflow as tracking server and model registry; by default one SQLite file, no server.

`mlflow` is imported when an adapter is first used: it takes seconds.
"""

from trimtab.adapters.mlflow.registry import MlflowRegistry
from trimtab.adapters.mlflow.tracking import MlflowTracking

__all__ = ["MlflowRegistry", "MlflowTracking"]
