"""A small world to search in: 900 rows, an hour apart, whose label depends on two of three features."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROWS = 900
PROJECT = {
    "name": "churn",
    "sources": {"c": {"files": "c.csv"}},
    "examples": {"time": "at", "label": {"column": "y", "matureAfter": "6h"}},
    "model": {"family": "gradient_boosting", "params": {"max_iter": 8, "early_stopping": False}},
    "training": {"split": {"validation": 0.1, "test": 0.15}},
}
SPACE = {
    "gradient_boosting": {
        "learning_rate": {"low": 0.01, "high": 0.5, "log": True},
        "max_iter": {"low": 4, "high": 16},
        "early_stopping": {"choices": [False]},
    },
    "logistic": {"C": {"low": 0.01, "high": 10.0, "log": True}},
}


class Broken(BaseException):
    """What a kill leaves behind, without ending the tests."""


@dataclass
class Hands:
    """A clock that somebody turns: each look at it takes `step_s`."""

    step_s: float = 0.0
    at_s: float = 0.0

    def now(self) -> Any:
        raise NotImplementedError("a search asks for no date")

    def monotonic_s(self) -> float:
        self.at_s += self.step_s
        return self.at_s


@dataclass
class World:
    """Where searches are made."""

    folder: Path
    rows: Any
    said: list[str] = field(default_factory=list)

    def project(self, search: dict[str, Any], **changes: Any) -> Any:
        from trimtab.api.project import Project

        return Project.model_validate({**PROJECT, "search": search, **changes})

    def source(self, project: Any) -> Any:
        from trimtab.steps.train import model_source

        return model_source(project, self.folder)

    def search(
        self,
        search: dict[str, Any],
        *,
        rows: Any = None,
        metric: str = "log_loss",
        study: str = "search.db",
        clock: Any = None,
        tracking: Any = None,
        say: Any = None,
        trials: Any = None,
        **changes: Any,
    ) -> Any:
        from trimtab.adapters.optuna import OptunaStudies
        from trimtab.steps.search.one_by_one import OneByOne
        from trimtab.steps.search.search import Means, search_model
        from trimtab.steps.search.tracked import TrackedSearch

        project = self.project(search, **changes)
        studies, say = OptunaStudies(self.folder / study), say or self.said.append
        means = Means(studies, clock or Hands(), say, trials or OneByOne())
        tracked = TrackedSearch(tracking, project.name, "search")
        rows = self.rows if rows is None else rows
        return search_model(project, project.search, self.source(project), rows, metric, means, tracked)


def some_rows(*, timed: bool = True) -> Any:
    """Learning rows of the small world."""
    import numpy as np

    from trimtab.features.plan import LabelRule, ServingPlan
    from trimtab.features.schema import Field
    from trimtab.steps.learning_rows import LearningRows

    draw = np.random.default_rng(7)
    x, z = draw.normal(size=ROWS), draw.normal(size=ROWS)
    word = draw.choice(np.array(["a", "b", "c"], object), ROWS)
    y = (draw.random(ROWS) < 1 / (1 + np.exp(-1.5 * x * np.where(word == "a", 2, 0.5)))).astype(float)
    plan = ServingPlan(
        model_name="churn",
        inputs=(Field("x", "number"), Field("z", "number"), Field("word", "string")),
        key=(),
        time=None,
        views=(),
        transform_digest="",
        outputs=(Field("x", "number"), Field("z", "number"), Field("word", "string")),
        task="binary",
        classes=("no", "yes"),
        label=LabelRule("y", None, 6 * 3600.0),
    )
    times = np.datetime64("2024-01-01", "us") + np.arange(ROWS) * np.timedelta64(1, "h")
    ids = np.array([f"k{i}" for i in range(ROWS)], object)
    return LearningRows(ids, times if timed else None, y, {"x": x, "z": z, "word": word}, {}, plan, None)
