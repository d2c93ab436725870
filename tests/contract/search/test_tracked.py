"""A search in a real MLflow: a run for it, one nested for each trial, and the page."""

from pathlib import Path

import pytest
from search_world import SPACE, Broken, Hands

pytestmark = pytest.mark.xdist_group("mlflow")


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    from trimtab.adapters.mlflow import MlflowTracking
    from trimtab.adapters.mlflow.client import local_uri

    folder = tmp_path_factory.mktemp("mlflow")
    return MlflowTracking(local_uri(folder / "mlflow.db"), folder / "artefacts")


def runs(tracking, **tags):
    from trimtab.adapters.mlflow.client import client

    mlflow = client(tracking._uri)
    experiment = mlflow.get_experiment_by_name("churn").experiment_id
    wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    return mlflow.search_runs([experiment], wanted, order_by=["attributes.start_time ASC"])


def searched(world, tracking, search, name, say=lambda line: None):
    from trimtab.adapters.optuna import OptunaStudies
    from trimtab.steps.search.before_test import search_before_test
    from trimtab.steps.search.search import Means
    from trimtab.steps.train import split

    class Pointer:
        version, digest = "1", name

    project = world.project(search)
    means = Means(OptunaStudies(world.folder / "search.db"), Hands(), say)
    parts = split(project, world.rows)
    return search_before_test(
        project, project.search, world.source(project), world.rows, parts, "log_loss", Pointer, means, tracking,
        world.folder / "search.html", {},
    )  # fmt: skip


def test_each_trial_is_a_run_nested_in_the_searchs_while_it_goes(world, tracking):
    at_work = []

    def look(line):
        at_work.append(len(runs(tracking, **{"trimtab.features.digest": "whole"})))

    found = searched(world, tracking, {"trials": 5, "space": SPACE}, "whole", look)
    assert at_work == [1] * 5
    (parent,) = runs(tracking, **{"trimtab.features.digest": "whole"})
    assert parent.info.run_id == found.run_id
    assert parent.info.status == "FINISHED"
    assert parent.data.params["model"] == found.source.name
    assert parent.data.metrics["search.best"] == pytest.approx(found.best.value)
    trials = runs(tracking, **{"mlflow.parentRunId": found.run_id})
    assert len(trials) == 5
    assert {run.info.status for run in trials} == {"FINISHED"}
    assert trials[0].data.metrics["log_loss"] == pytest.approx(found.own.value)
    assert trials[0].data.params["model"] == "gradient_boosting"
    assert {run.data.tags["trimtab.trial.state"] for run in trials} == {one.state for one in found.tried}
    kept = list(Path(parent.info.artifact_uri.removeprefix("file://")).glob("search.html"))
    assert kept[0].read_text() == (world.folder / "search.html").read_text()


def test_a_later_sitting_goes_on_in_the_same_run_and_ends_the_trial_that_was_broken_off(world, tracking):
    def broken_off(line):
        if line.startswith("trial 1 "):
            raise Broken

    with pytest.raises(Broken):
        searched(world, tracking, {"trials": 4, "space": SPACE}, "killed", broken_off)
    (parent,) = runs(tracking, **{"trimtab.features.digest": "killed"})
    assert parent.info.status == "FAILED"
    found = searched(world, tracking, {"trials": 4, "space": SPACE}, "killed")
    assert [run.info.run_id for run in runs(tracking, **{"trimtab.features.digest": "killed"})] == [
        found.run_id
    ]
    assert len(runs(tracking, **{"mlflow.parentRunId": found.run_id})) == 4
    assert all(
        run.info.status == "FINISHED" for run in runs(tracking, **{"mlflow.parentRunId": found.run_id})
    )


def test_the_page_draws_every_complete_trial_and_loads_nothing(world, tracking):
    import re

    found = searched(world, tracking, {"trials": 12, "space": SPACE, "pruner": "none"}, "page")
    text = (world.folder / "search.html").read_text()
    assert not re.search(r"(src|href)=|https?://|@import|url\(", text)
    assert text.count("<path d=") == 11  # each but the project's own, through its family's parameters
    assert text.count('class="best"') == (found.best.candidate is not None)
    assert text.count("<circle") == 12
    assert "gradient_boosting.learning_rate" in text
    assert sum(found.importances.values()) == pytest.approx(1)
