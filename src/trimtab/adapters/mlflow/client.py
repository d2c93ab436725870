"""One MLflow client a process and address; telemetry off, failures in words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from trimtab.api.errors import ExtraMissing, SurroundingsFailed

RETRIES: Final = "3"
"""Of a call, over about 15 s: MLflow's own 7 are two minutes, for which a training would wait at each epoch."""


def local_uri(database: Path) -> str:
    """The address of an SQLite file, whose folder is made. MLflow makes its tables at the first use (4 s)."""
    database.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{database.resolve()}"


@lru_cache(maxsize=4)
def client(uri: str) -> Any:
    """The client of a tracking server and registry.

    Raises:
        ExtraMissing: mlflow is not installed.
        SurroundingsFailed: the server cannot be reached, or its database not be read.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", RETRIES)
    try:
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise ExtraMissing("train", "the model registry") from error
    with failures(uri):
        _make_whole(uri)
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _make_whole(uri: str) -> None:
    """Make a new SQLite file's tables beside it, and put it in place whole.

    MLflow's migrations are no one transaction: a process that is killed in them leaves a file that every later
    one refuses (`table latest_metrics already exists`).
    """
    from mlflow.tracking import MlflowClient

    database = Path(uri.removeprefix("sqlite:///"))
    if not uri.startswith("sqlite:///") or database.exists():
        return
    making = database.with_name(f".{database.name}.{os.getpid()}")
    try:
        MlflowClient(tracking_uri=f"sqlite:///{making}").search_experiments(max_results=1)
        with suppress(FileExistsError):  # another process was first
            os.link(making, database)
    finally:
        making.unlink(missing_ok=True)


@contextmanager
def failures(uri: str) -> Iterator[None]:
    """MLflow's and the database's errors as SurroundingsFailed."""
    import logging

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    from mlflow.exceptions import MlflowException

    broken: tuple[type[Exception], ...] = (MlflowException, OSError)
    if not uri.startswith("http"):
        from sqlalchemy.exc import SQLAlchemyError

        broken = (*broken, SQLAlchemyError)
    try:
        yield
    except broken as error:
        first = str(error).strip().splitlines()[0]
        raise SurroundingsFailed(
            f"MLflow at {uri} failed: {first}", remedy="see that it runs, and that its disk has room"
        ) from error
