"""Ray Tune, called so that it says nothing, and leaves nothing behind."""

import logging
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ray import tune
from ray.air.execution._internal import actor_manager
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.train.constants import _get_ray_train_session_dir
from ray.tune.execution import tune_controller

from trimtab.adapters.ray.trainable import GPU, TrialTrainable
from trimtab.adapters.ray.tune import Over, StudyScheduler, StudySearcher


def run(
    folder: Path,
    given: Mapping[str, Any],
    count: int,
    cpus: int,
    searcher: StudySearcher,
    scheduler: StudyScheduler,
) -> None:
    """Trials, until none is left.

    Args:
        folder: for what Tune writes down.
        given: to every process.
        count: trials at a time.
        cpus: of each.
    """
    with _quiet(), _nothing_left(folder.name), _death_for_want_of_memory():
        try:
            tune.run(
                TrialTrainable,
                name=folder.name,
                config=dict(given),
                num_samples=-1,
                max_concurrent_trials=count,
                resources_per_trial={"cpu": cpus, "gpu": int(given[GPU])},
                storage_path=str(folder),
                search_alg=searcher,
                scheduler=scheduler,
                reuse_actors=True,
                raise_on_failed_trial=False,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
                verbose=0,
            )
        except Over as over:
            if over.__cause__ is not None:
                raise over.__cause__ from None


def _name(trial: Any) -> str:
    return str(trial.trial_id)


@contextmanager
def _death_for_want_of_memory() -> Iterator[None]:
    """A process that Ray kills when memory runs low is one that died. Tune knows no OutOfMemoryError, and would end."""
    modules = actor_manager, tune_controller
    try:
        for module in modules:
            setattr(module, "RayActorError", (RayActorError, OutOfMemoryError))  # noqa: B010  it is a class to mypy
        yield
    finally:
        for module in modules:
            setattr(module, "RayActorError", RayActorError)  # noqa: B010


@contextmanager
def _nothing_left(name: str) -> Iterator[None]:
    """Without what Tune keeps of this search among Ray's own files, which may be those of a cluster."""
    try:
        yield
    finally:
        for left in Path(_get_ray_train_session_dir()).glob(f"*/{name}"):
            shutil.rmtree(left, ignore_errors=True)
            with suppress(OSError):  # of another search too
                left.parent.rmdir()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Tune's word of each trial that failed, and its handler of SIGUSR1."""
    logger, handler = logging.getLogger("ray"), signal.getsignal(signal.SIGUSR1)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGUSR1, handler)
