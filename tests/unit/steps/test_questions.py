"""What a metric or a gap needs: asked for, it must be there; else a sentence says what is missing."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from trimtab.api.errors import InputRefused
from trimtab.api.project import Project
from trimtab.steps.held_out import beside
from trimtab.steps.questions import check_questions


def project(**evaluation: Any) -> Project:
    return Project.model_validate(
        {
            "name": "shop",
            "sources": {"sales": {"files": "sales.csv"}},
            "examples": {"label": {"column": "sold"}},
            "evaluation": evaluation,
        }
    )


@pytest.mark.parametrize(
    ("evaluation", "names", "task", "said", "remedy"),
    [
        ({}, ("roc_auc",), "regression", "a regression task does not have", "mean_squared_error"),
        ({}, ("nonsense",), "binary", "the metric 'nonsense'", "one of log_loss"),
        ({}, ("ndcg",), "regression", "ranks the rows of one group", "evaluation.group"),
        ({}, ("mean_absolute_scaled_error",), "regression", "the naive forecast", "examples.time"),
        (
            {"gates": [{"metric": "mean_average_precision", "atLeast": 0.1}]},
            (),
            "binary",
            "one group",
            "group",
        ),
        (
            {"fairness": {"attributes": ["sex"]}},
            (),
            "multiclass",
            "calls of a binary label",
            "evaluation.slices",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(evaluation, names, task, said, remedy):
    with pytest.raises(InputRefused, match=said) as refused:
        check_questions(project(**evaluation), names, task, timed=False)
    assert remedy in refused.value.remedy


def test_what_fits_passes():
    names = ("ndcg", "mean_absolute_scaled_error", "r2")
    check_questions(project(group="query"), names, "regression", timed=True)


@dataclass
class Rows:
    times: Any
    slices: dict[str, Any]
    plan: Any = field(default_factory=lambda: type("Plan", (), {"task": "regression"}))


def test_the_scale_is_the_naive_forecasts_error_within_each_series_of_the_training_rows():
    times = np.array([3, 1, 2, 1, 2, 9], "datetime64[D]")
    rows = Rows(times, {"shop": np.array(["a", "a", "a", "b", "b", "b"], dtype=object)})
    labels = np.array([7.0, 1.0, 3.0, 10.0, 10.5, 99.0])
    training = np.array([True, True, True, True, True, False])
    found = beside(project(group="shop"), rows, labels, training, ~training)  # type: ignore[arg-type]  # what it reads
    assert found.scale == pytest.approx((2 + 4 + 0.5) / 3)
    assert found.groups is not None
    assert found.groups.tolist() == [1]
    alone = beside(project(), Rows(times[:3], {}), labels[:3], np.ones(3, bool), np.zeros(3, bool))  # type: ignore[arg-type]  # what it reads
    assert (alone.scale, alone.groups) == (3.0, None)
