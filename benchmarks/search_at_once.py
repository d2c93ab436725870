"""A search's trials one by one and several at once: wall time of the same trials.

    python benchmarks/search_at_once.py [--quick]     # about five minutes

Random search, no trial given up, so each search tries the same candidates on the same three folds; the best value says
so. One at a time, trials run in the search's own process, where scikit-learn's boosting takes every core; in processes
of Ray each trial has one core (`training.threads`), as a network has anywhere.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from beside import table, versions
from run import machine

AT_ONCE = (1, 2, 4, 8)
SPACES: dict[str, dict[str, Any]] = {
    "gradient_boosting": {
        "learning_rate": {"low": 0.02, "high": 0.3, "log": True},
        "max_iter": {"low": 100, "high": 200},
        "early_stopping": {"choices": [False]},
    },
    "mlp": {"dropout": {"low": 0.0, "high": 0.5}, "hidden": {"choices": [[64, 32], [128, 64]]}},
}
COLUMNS = 12


def some_rows(count: int) -> Any:
    """Learning rows of numbers, a minute apart."""
    from trimtab.features.plan import LabelRule, ServingPlan
    from trimtab.features.schema import Field
    from trimtab.steps.learning_rows import LearningRows

    draw = np.random.default_rng(7)
    names = [f"x{i}" for i in range(COLUMNS)]
    x = draw.normal(size=(count, COLUMNS))
    y = (x[:, 0] * x[:, 1] + x[:, 2] + draw.normal(size=count) > 0).astype(float)
    fields = tuple(Field(name, "number") for name in names)
    plan = ServingPlan(
        model_name="searched", inputs=fields, key=(), time=None, views=(), transform_digest="", outputs=fields,
        task="binary", classes=("no", "yes"), label=LabelRule("y", None, 0.0),
    )  # fmt: skip
    times = np.datetime64("2024-01-01", "us") + np.arange(count) * np.timedelta64(1, "m")
    ids = np.arange(count).astype(str).astype(object)
    return LearningRows(ids, times, y, {name: x[:, i] for i, name in enumerate(names)}, {}, plan, None)


def searched(rows: Any, family: str, trials: int, place: Any, folder: Path, device: str = "cpu") -> Any:
    """What a search found, its seconds, and those before its first trial had ended.

    Args:
        place: `trimtab.ports.trials.Trials`.
    """
    from trimtab.adapters.clock import WallClock
    from trimtab.adapters.optuna import OptunaStudies
    from trimtab.api.project import Project
    from trimtab.steps.search.search import Means, search_model
    from trimtab.steps.search.tracked import TrackedSearch
    from trimtab.steps.train import model_source

    project = Project.model_validate(
        {
            "name": "searched",
            "sources": {"c": {"files": "c.csv"}},
            "examples": {"time": "at", "label": {"column": "y"}},
            "model": {"family": family, "params": {}},
            "training": {"epochs": 4, "batchRows": 512, "patience": None, "device": device},
            "search": {
                "trials": trials, "sampler": "random", "pruner": "none", "space": {family: SPACES[family]},
                "folds": {"count": 3},
            },
        }
    )  # fmt: skip
    told: list[float] = []
    began = time.monotonic()

    def say(_: str) -> None:
        told.append(time.monotonic() - began)

    means = Means(OptunaStudies(folder / "search.db"), WallClock(), say, place)
    source, tracked = model_source(project, folder), TrackedSearch(None, "searched", "search")
    found = search_model(project, project.search, source, rows, "log_loss", means, tracked)
    return found, time.monotonic() - began, told[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    count, trials = (4_000, 4) if parser.parse_args().quick else (30_000, 17)
    from trimtab.adapters.ray import RayTrials
    from trimtab.steps.search.one_by_one import OneByOne

    rows = some_rows(count)
    for family in SPACES:
        lines: list[list[str]] = []
        first_s = 0.0
        for at_once in (one for one in AT_ONCE if one <= (os.cpu_count() or 1)):
            with tempfile.TemporaryDirectory() as folder:
                place = OneByOne() if at_once == 1 else RayTrials(Path(folder) / "tmp", at_once, 1, "cpu")
                found, whole_s, own_s = searched(rows, family, trials, place, Path(folder))
            first_s = first_s or whole_s
            busy_s = sum(one.seconds for one in found.tried)
            lines.append(
                [str(at_once), f"{whole_s:.1f}", f"{first_s / whole_s:.2f}x", f"{own_s:.1f}",
                 f"{busy_s / len(found.tried):.2f}", f"{found.best.value:.6f}"]
            )  # fmt: skip
        heads = ["atOnce", "search, s", "over one by one", "until the first trial had ended, s", "a trial, s",
                 "best log loss"]  # fmt: skip
        print(f"{family}: {trials} trials of three folds over {count:,} rows of {COLUMNS} columns\n")
        print(table(heads, lines), end="\n\n")
    print(f"{versions('ray', 'optuna', 'scikit-learn', 'torch')}\n{machine()}")


if __name__ == "__main__":
    main()
