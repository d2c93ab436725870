"""Every kind of question goes from rows to a judged model, its page, and an explained answer."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("learning")
ROWS = 900


def table(label: str) -> tuple[Any, dict[str, str]]:
    import pyarrow as pa

    rng = np.random.default_rng(7)
    times = np.datetime64("2024-01-01", "us") + np.arange(ROWS) * np.timedelta64(2, "h")
    visits = rng.poisson(5, ROWS).astype(float)
    plan = np.array(["free", "pro", "team"])[rng.integers(0, 3, ROWS)]
    spent = visits * 10 + 30 * (plan == "pro") + rng.normal(0, 5, ROWS)
    made = {
        "at": pa.array(times, pa.timestamp("us", tz="UTC")),
        "shop": pa.array([f"s{i % 150}" for i in range(ROWS)]),
        "visits": pa.array(visits),
        "plan": pa.array(plan.tolist()),
        "spent": pa.array(spent),
        "level": pa.array(np.array(["low", "middle", "high"])[np.digitize(spent, [40, 70])].tolist()),
        "grade": pa.array((spent > 60).astype(np.int64)),
    }
    columns = {"at": "timestamp", "shop": "string", "visits": "number", "plan": "string", "spent": "number",
               "level": "string", "grade": "integer"}  # fmt: skip
    kept = ["at", "shop", "visits", "plan", label]
    return pa.table({name: made[name] for name in kept}), {name: columns[name] for name in kept}


BOOSTING, TREES = "gradient_boosting", "extra_trees"


@pytest.mark.parametrize(
    ("family", "label", "time", "metrics", "group"),
    [
        (BOOSTING, "spent", "at", ["mean_absolute_scaled_error", "mean_absolute_error", "r2"], "shop"),
        (BOOSTING, "spent", None, ["ndcg", "root_mean_squared_error"], "shop"),
        (BOOSTING, "level", "at", ["log_loss", "f1_macro", "balanced_accuracy"], None),
        (BOOSTING, "grade", None, ["mean_reciprocal_rank", "matthews_corrcoef"], "shop"),
        (TREES, "spent", "at", ["mean_absolute_error", "r2"], "shop"),
        (TREES, "level", None, ["log_loss", "f1_macro"], None),
        (TREES, "grade", "at", ["log_loss", "matthews_corrcoef"], None),
    ],
)
def test_a_model_of_each_task_is_judged_and_explained(
    small: Any,
    tmp_path: Any,
    family: str,
    label: str,
    time: str | None,
    metrics: list[str],
    group: str | None,
) -> None:
    from trimtab.features.columns import take
    from trimtab.quality.shapley import explain
    from trimtab.serving.folder import open_folder
    from trimtab.steps.evaluate import evaluate
    from trimtab.steps.export import export
    from trimtab.steps.featurize import featurize
    from trimtab.steps.scoring import served_model
    from trimtab.steps.train import model_source, train

    small.add("visits", *table(label))
    wanted: dict[str, Any] = {
        "sources": {"visits": {"files": "v.csv"}}, "tables": {}, "features": None,
        "examples": {"table": "visits", "label": {"column": label}, **({"time": time} if time else {})},
        "model": {"family": family}, "training": {"split": {"validation": 0.2, "test": 0.3}},
        "evaluation": {
            "metrics": metrics, "slices": ["plan"], **({"group": group} if group else {}),
            "behaviour": [
                {"test": "invariance", "name": "a shop more or less", "set": {"shop": [None]}, "atMost": 1e9}
            ],
        },
    }  # fmt: skip
    until = datetime(2024, 6, 1, tzinfo=UTC)
    project = small.project(**wanted)
    made = featurize(project, None, small.pointers, small.engine, small.tables, until)
    places = (made.pointer, small.engine, small.tables)
    folder, page = tmp_path / "trained", tmp_path / "report.html"
    train(project, model_source(project, tmp_path), *places, None, folder)
    found = evaluate(project, folder, *places, None, page, None, small.pointers)
    assert found.passed
    assert found.metrics.keys() == set(metrics)
    for name, value in found.metrics.items():
        assert found.intervals[name].lower <= value <= found.intervals[name].upper
    assert (found.days > 7) == (time is not None)
    assert "visits" in {found.importances[0].feature, found.importances[1].feature}
    assert found.searched is not None
    assert found.searched.looked_at > 5
    assert "What the model goes by" in page.read_text()
    numeric = label == "spent"
    assert sum(one.rows for one in found.calibration) == (0 if numeric else found.rows)
    assert ('aria-label="Calibration"' in page.read_text()) is not numeric
    assert ("likeliest class was said to be" in page.read_text()) is (label == "level")
    servable = export(project, folder, places[0], None, *places[1:], tmp_path / "models").folder.path
    background = open_folder(servable).background()
    assert all(len(values) == 16 for values in background.values())
    model = served_model(servable)
    told = explain(lambda rows: model.answers(rows)[:, -1], take(background, slice(0, 1)), background, 32, 7)
    assert sum(told.attributions.values()) == pytest.approx(told.answer - told.baseline, abs=1e-4)
