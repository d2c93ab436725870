"""MLflow as tracking server and model registry: one SQLite file with no server, or a server over HTTP.

`mlflow` takes seconds and 190 MB to import: it is, when an adapter over a file is first used; never for a server's
registry, but to upload.
"""

from trimtab.adapters.mlflow.profiles import MlflowProfiles
from trimtab.adapters.mlflow.registry import MlflowRegistry
from trimtab.adapters.mlflow.server import MlflowServer
from trimtab.adapters.mlflow.server_registry import MlflowServerRegistry
from trimtab.adapters.mlflow.tracking import MlflowTracking

__all__ = ["MlflowProfiles", "MlflowRegistry", "MlflowServer", "MlflowServerRegistry", "MlflowTracking"]
