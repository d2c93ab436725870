"""From a features table to a model folder, on real flights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_workshop import FEATURES

pytestmark = pytest.mark.xdist_group("learning")


def test_the_onnx_file_answers_as_the_model_and_as_a_request_is_answered(
    flights: Any, featurized: Any, refitted: Any
) -> None:
    from trimtab.features.columns import take
    from trimtab.steps.export import export
    from trimtab.steps.fitting.fitted import FittedModel
    from trimtab.steps.learning_rows import read_learning_rows
    from trimtab.steps.scoring import served_model

    transform = FEATURES.encode()
    models = flights.root / "models"
    made = export(
        flights.project(),
        refitted.folder,
        featurized.pointer,
        transform,
        flights.engine,
        flights.tables,
        models,
    )
    assert made.difference <= 1e-5
    assert made.rows == 10_000
    rows = read_learning_rows(featurized.pointer, flights.engine, flights.tables)
    few = take(rows.features, slice(0, 500))
    expected = FittedModel.load(refitted.folder).answers(few)
    model = served_model(made.folder.path)
    np.testing.assert_allclose(model.answers(few), expected, atol=1e-5)
    one = np.concatenate([model.answers(take(few, slice(i, i + 1))) for i in range(20)])
    np.testing.assert_allclose(one, expected[:20], atol=1e-5)
    again = export(
        flights.project(),
        refitted.folder,
        featurized.pointer,
        transform,
        flights.engine,
        flights.tables,
        models,
    )
    assert again.folder == made.folder


def test_another_features_py_is_not_exported(flights: Any, featurized: Any, refitted: Any) -> None:
    from trimtab.api.errors import InputRefused
    from trimtab.steps.export import export

    other = FEATURES.encode() + b"# changed"
    models = flights.root / "models"
    with pytest.raises(InputRefused, match=r"features.py .* is not the one"):
        export(
            flights.project(),
            refitted.folder,
            featurized.pointer,
            other,
            flights.engine,
            flights.tables,
            models,
        )


def test_a_server_takes_the_folder(flights: Any, featurized: Any, refitted: Any) -> None:
    from trimtab.serving.folder import open_folder
    from trimtab.steps.export import export

    transform = FEATURES.encode()
    made = export(
        flights.project(), refitted.folder, featurized.pointer, transform, flights.engine, flights.tables,
        flights.root / "models",
    )  # fmt: skip
    folder = open_folder(made.folder.path)
    assert folder.plan == featurized.plan
    samples = json.loads((made.folder.path / "samples.json").read_text())
    assert 0 < len(samples) <= 64
    assert set(samples[0]) == {field.name for field in folder.plan.inputs}


def test_reference_skills_are_of_days_out_of_sample(refitted: Any) -> None:
    assert refitted.refitted
    assert 20 <= len(refitted.skills) <= 28
    assert np.isfinite(refitted.skills).all()
    assert np.mean(refitted.skills) < 0.05


def test_the_refit_learns_the_held_out_rows_too(trained: Path, refitted: Any) -> None:
    from trimtab.steps.fitting.fitted import FittedModel

    before, after = FittedModel.load(trained), FittedModel.load(refitted.folder)
    assert after.rows > before.rows
    assert after.learned_to > before.learned_to
    assert after.metrics == before.metrics
    assert set(before.metrics) == {"log_loss", "roc_auc", "brier_score"}


def test_two_fits_with_one_seed_are_one_model(
    flights: Any, featurized: Any, trained: Path, tmp_path: Path
) -> None:
    from trimtab.steps.fitting.fitted import FittedModel
    from trimtab.steps.fitting.graph import exported
    from trimtab.steps.train import model_source, train

    project = flights.project()
    source = model_source(project, flights.root)
    train(project, source, featurized.pointer, flights.engine, flights.tables, None, tmp_path)
    first, second = (FittedModel.load(folder) for folder in (trained, tmp_path))
    one, two = (
        exported(model.preprocessing, model.estimator, model.plan.outputs, "binary", model.name)
        for model in (first, second)
    )
    assert one == two


def test_a_gate_refuses_and_says_by_how_much(
    flights: Any, featurized: Any, trained: Path, tmp_path: Path
) -> None:
    from trimtab.steps.evaluate import evaluate

    project = flights.project(
        evaluation={"gates": [{"metric": "roc_auc", "atLeast": 0.99}], "slices": ["carrier"]}
    )
    report = tmp_path / "report.html"
    found = evaluate(project, trained, featurized.pointer, flights.engine, flights.tables, None, report)
    assert not found.passed
    assert "asked is at least 0.99" in found.because
    page = report.read_text()
    assert "refused" in page
    assert "<script" not in page
    forced = evaluate(project, trained, featurized.pointer, flights.engine, flights.tables, None, force=True)
    assert (forced.passed, forced.forced) == (True, True)


def test_stable_with_other_features_is_compared_on_the_same_rows(
    flights: Any, featurized: Any, trained: Path, tmp_path: Path
) -> None:
    from trimtab.steps.evaluate import evaluate
    from trimtab.steps.export import export
    from trimtab.steps.train import model_source, train

    other = (
        'from trimtab.features import Request\nREQUEST = Request(carrier="string", distance="number")\n'
        'def transform(rows):\n    return {"carrier": rows["carrier"], "far": rows["distance"] / 1000}\n'
    )
    features = flights.featurize(other).pointer
    folder, project = tmp_path / "stable", flights.project()
    source = model_source(project, flights.root)
    train(project, source, features, flights.engine, flights.tables, None, folder)
    stable = export(
        project, folder, features, other.encode(), flights.engine, flights.tables, tmp_path / "models"
    ).folder.path
    gates = {"gates": [{"metric": "log_loss", "noWorseThanStableBy": 0.01}], "slices": []}
    found = evaluate(
        flights.project(evaluation=gates), trained, featurized.pointer, flights.engine, flights.tables, None, None,
        stable, flights.pointers,
    )  # fmt: skip
    assert found.gates[0].days >= 7
    assert found.gates[0].estimate < 0
    assert found.passed


def test_rows_that_stable_has_learned_from_do_not_judge_it(
    flights: Any, featurized: Any, trained: Path, refitted: Any
) -> None:
    from trimtab.steps.evaluate import evaluate
    from trimtab.steps.export import export

    models = flights.root / "models"
    stable = export(
        flights.project(),
        refitted.folder,
        featurized.pointer,
        FEATURES.encode(),
        flights.engine,
        flights.tables,
        models,
    ).folder.path
    gates = {"gates": [{"metric": "log_loss", "noWorseThanStableBy": 0.01}], "slices": []}
    found = evaluate(
        flights.project(evaluation=gates), trained, featurized.pointer, flights.engine, flights.tables, None, None,
        stable, flights.pointers,
    )  # fmt: skip
    assert found.passed
    assert "shadow must judge" in found.gates[0].because


def test_the_profile_is_learned_for_the_windows_that_the_monitor_judges(
    flights: Any, featurized: Any, refitted: Any
) -> None:
    from trimtab.drift import Profile
    from trimtab.steps.export import export

    profiles = {}
    for name, window in {"long": {"length": "3d"}, "short": {"minRows": 20}, "unsaid": {}}.items():
        made = export(
            flights.project(monitor={"window": window}),
            refitted.folder,
            featurized.pointer,
            FEATURES.encode(),
            flights.engine,
            flights.tables,
            flights.root / "models",
        )
        profiles[name] = Profile.from_bytes((made.folder.path / "profile.json").read_bytes())
    hour = 3600
    assert {name: held.window_s for name, held in profiles.items()} == {
        "long": 72 * hour,
        "short": hour,
        "unsaid": 168 * hour,
    }
    assert 72 * hour in profiles["long"].columns["distance"].thresholds


def test_a_window_that_drops_months_that_stable_has_seen_is_a_warning(
    flights: Any, featurized: Any, refitted: Any, tmp_path: Path
) -> None:
    from datetime import timedelta

    from trimtab.steps.evaluate import evaluate
    from trimtab.steps.export import export
    from trimtab.steps.train import model_source, train

    project, window = flights.project(), timedelta(days=18)
    stable = export(
        project,
        refitted.folder,
        featurized.pointer,
        FEATURES.encode(),
        flights.engine,
        flights.tables,
        flights.root / "models",
    ).folder.path
    short = flights.project(training={"split": {"validation": "2d", "test": "4d"}})
    places = (featurized.pointer, flights.engine, flights.tables, None)
    train(short, model_source(short, flights.root), *places, tmp_path / "short", window)
    asked = {"stable": stable, "pointers": flights.pointers}
    found = evaluate(short, tmp_path / "short", *places, None, **asked, window=window)
    assert found.because.endswith("warning: the window drops January, which stable has learned from")
    whole = flights.root / "trained"
    assert "warning" not in evaluate(project, whole, *places, None, **asked).because


def test_scores_by_epoch_end_with_the_models_own(flights: Any, featurized: Any, trained: Path) -> None:
    from trimtab.features.columns import take
    from trimtab.steps.fitting.fitted import FittedModel
    from trimtab.steps.learning_rows import read_learning_rows

    model = FittedModel.load(trained)
    few = take(read_learning_rows(featurized.pointer, flights.engine, flights.tables).features, slice(0, 200))
    epochs = list(model.scores_by_epoch(few))
    assert len(epochs) == model.estimator.n_iter_
    np.testing.assert_array_equal(epochs[-1], model.scores(few))
