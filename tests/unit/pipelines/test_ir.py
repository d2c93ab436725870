"""What each compiled pipeline says of its tasks: which are kept in caches, tried again, run at the end, described."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
Task = dict[str, Any]
AGAIN = {
    "asks": (3, "5s"),
    "outside": (3, "30s"),
    "long": (1, "30s"),
    "never": None,
}
"""(how often it is tried again, after how long first); then twice as long each time, at most 300 s."""
TABLE: dict[str, dict[str, tuple[str, str]]] = {
    "training": {
        "admit": ("asks", "fresh"),
        "ingest": ("outside", "fresh"),
        "build": ("long", "sources_version"),
        "validate": ("never", "tables_version"),
        "featurize": ("long", "rows_version"),
        "train": ("long", "features_version"),
        "evaluate": ("never", "rows_version"),
        "refit": ("long", "model_version"),
        "materialize": ("outside", "fresh"),
        "export": ("never", "model_version"),
        "export-2": ("never", "model_version"),
        "register": ("outside", "fresh"),
        "register-2": ("outside", "fresh"),
        "report": ("never", "fresh"),
    },
    "batch_prediction": {
        "ingest": ("outside", "fresh"),
        "build": ("long", "sources_version"),
        "validate": ("never", "tables_version"),
        "predict": ("outside", "fresh"),
        "report": ("never", "fresh"),
    },
    "materialization": {
        "ingest": ("outside", "fresh"),
        "build": ("long", "sources_version"),
        "validate": ("never", "tables_version"),
        "featurize": ("long", "rows_version"),
        "materialize": ("outside", "fresh"),
        "report": ("never", "fresh"),
    },
    "backfill": {
        "ingest": ("outside", "fresh"),
        "build": ("long", "sources_version"),
        "validate": ("never", "tables_version"),
        "periods": ("asks", "fresh"),
        "predict": ("outside", "fresh"),
        "report": ("never", "fresh"),
    },
}
"""By pipeline and task: how it is tried again, and the version among its inputs that a cache keeps it by; or that it
is never taken from a cache."""


def ir(name: str) -> dict[str, Any]:
    read: dict[str, Any] = next(yaml.safe_load_all((ROOT / "pipelines" / f"{name}.yaml").read_text()))
    return read


def tasks(document: dict[str, Any]) -> dict[str, Task]:
    """Those that run a component, of every depth."""

    def inside(dag: dict[str, Any]) -> Iterator[tuple[str, Task]]:
        for name, task in dag["tasks"].items():
            component = document["components"][task["componentRef"]["name"]]
            if "dag" in component:
                yield from inside(component["dag"])
            else:
                yield name, task

    return dict(inside(document["root"]["dag"]))


@pytest.mark.parametrize("name", TABLE)
def test_the_table_names_every_task(name):
    assert set(tasks(ir(name))) == set(TABLE[name])


ROWS = [
    pytest.param(name, task, *row, id=f"{name}-{task}")
    for name, of in TABLE.items()
    for task, row in of.items()
]


@pytest.mark.parametrize(("name", "task", "again", "kept_by"), ROWS)
def test_a_task_is_tried_again_and_cached_as_the_table_says(name, task, again, kept_by):
    said = tasks(ir(name))[task]
    policy = said.get("retryPolicy")
    if AGAIN[again] is None:
        assert policy is None
    else:
        count, first = AGAIN[again]
        assert policy == {
            "maxRetryCount": count,
            "backoffDuration": first,
            "backoffFactor": 2.0,
            "backoffMaxDuration": "300s",
        }
    cached = said.get("cachingOptions", {}).get("enableCache", False)
    assert cached == (kept_by != "fresh")
    if cached:
        given = said["inputs"]["parameters"]
        assert {"project", kept_by} <= set(given)
        # made by the task before it, from what it read: a constant would never change
        assert "taskOutputParameter" in given[kept_by] or "componentInputParameter" in given[kept_by]


@pytest.mark.parametrize("name", TABLE)
def test_what_a_cached_task_reads_is_told_by_a_version_of_the_task_that_made_it(name):
    """A cache's key holds names of artefacts, not what is in them: whoever reads one is told its version beside it."""
    for task in tasks(ir(name)).values():
        if task.get("cachingOptions", {}).get("enableCache") and task["inputs"].get("artifacts"):
            assert any(parameter.endswith("_version") for parameter in task["inputs"]["parameters"])


@pytest.mark.parametrize("name", TABLE)
def test_a_report_is_made_whatever_becomes_of_the_rest(name):
    top = ir(name)["root"]["dag"]["tasks"]
    (work,) = set(top) - {"report"}
    assert top["report"]["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert top["report"]["dependentTasks"] == [work]
    assert top["report"]["inputs"]["parameters"]["status"]["taskFinalStatus"] == {"producerTask": work}


@pytest.mark.parametrize("name", TABLE)
def test_every_parameter_of_the_form_is_described(name):
    document = ir(name)
    assert document["pipelineInfo"]["description"]
    asked = document["root"]["inputDefinitions"]["parameters"]
    assert all(one["description"].endswith(".") for one in asked.values())
    # without these there is nothing to run on; the rest may be left empty
    needed = {parameter for parameter, one in asked.items() if not one.get("isOptional")}
    assert needed == ({"project", "since"} if name == "backfill" else {"project"})
