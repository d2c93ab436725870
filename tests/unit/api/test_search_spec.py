"""`search:` as a person writes it, right and wrong."""

import pytest

from trimtab.api.document import FilesRefused, read, validate
from trimtab.api.project import Project
from trimtab.api.search import Parameter

PROJECT = "name: churn\nsources: {c: {files: c.csv}}\nexamples: {label: {column: y}}\n"


def taken(text):
    return validate(Project, read(PROJECT + text, "trimtab.yaml")).search


def test_a_budget_alone_is_enough():
    search = taken("search: {budget: 20m}\n")
    assert search.budget.total_seconds() == 1200
    assert (search.sampler, search.pruner, search.folds.count) == ("tpe", "median", 3)
    assert search.at_once == 1


def test_a_project_without_search_has_none():
    assert taken("") is None


def test_parameters_stand_under_their_family_or_are_those_of_model_py():
    of_families = taken(
        "search: {trials: 9, space: {gradient_boosting: {max_iter: {low: 9, high: 99}}, logistic: {}}}"
    )
    assert of_families.families() == {
        "gradient_boosting": {"max_iter": Parameter(low=9, high=99)},
        "logistic": {},
    }
    of_file = taken("model: model.py\nsearch: {trials: 9, space: {layers: {choices: [[64], [64, 32]]}}}")
    assert of_file.parameters()["layers"].choices == [[64], [64, 32]]


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (Parameter(low=1, high=4), [1, 2, 3, 4]),
        (Parameter(low=0.0, high=1.0, step=0.25), [0.0, 0.25, 0.5, 0.75, 1.0]),
        (Parameter(low=1, high=9, step=4), [1, 5, 9]),
        (Parameter(choices=["a", None, True]), ["a", None, True]),
        (Parameter(low=0.0, high=1.0), None),
        (Parameter(low=1, high=100, log=True), None),
    ],
)
def test_a_grid_knows_how_many_values_there_are(parameter, values):
    assert parameter.values() == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("search: {}", "search: search never ends"),
        ("search: {budget: 0s}", "search.budget is 0"),
        ("search: {trials: 0}", "search.trials: "),
        ("search: {trials: 3, atOnce: 0}", "search.atOnce: "),
        ("search: {trials: 3, space: {}}", "search.space is empty"),
        ("search: {trials: 3, sampler: tpee}", "search.sampler: "),
        ("search: {trials: 3, sampler: grid}", "grid needs search.space"),
        ("search: {trials: 3, sampler: grid, space: {logistic: {C: {low: 0.1, high: 1.0}}}}", "C has no end of"),
        ("search: {trials: 3, space: {logistic: {C: {low: 3, high: 1}}}}", "search.space.logistic.C: is empty: low 3"),
        ("search: {trials: 3, space: {logistic: {C: {low: 0, high: 1, log: true}}}}", "C: has a log scale from 0"),
        ("search: {trials: 3, space: {logistic: {C: {low: 1, high: 3, log: true, step: 1}}}}", "log and step"),
        ("search: {trials: 3, space: {logistic: {C: {low: 1, high: 3, step: 0}}}}", "a step of 0"),
        ("search: {trials: 3, space: {logistic: {C: {low: 1}}}}", "C: has no end on one side"),
        ("search: {trials: 3, space: {logistic: {C: {choices: []}}}}", "C: has no choices"),
        ("search: {trials: 3, space: {logistic: {C: {choices: [1, 1]}}}}", "C: names a choice twice"),
        ("search: {trials: 3, space: {logistic: {C: {choices: [1], low: 1}}}}", "C: has choices and a range"),
        ("search: {trials: 3, space: {logistic: {C: {lo: 1}}}}", "did you mean `low`?"),
        ("search: {trials: 3, space: {forest: {}}}", "search.space.forest is no model family"),
        ("search: {trials: 3, space: {C: {low: 1, high: 2}}}", "put it under its family"),
        ("search: {trials: 3}\nmodel: model.py", "search.space names no parameter of model.py"),
        ("search: {trials: 3, space: {logistic: {}}}\nmodel: model.py", "names no parameter of model.py"),
        ("search: {trials: 3, folds: {window: sliding}}", "examples have no time"),
        ("search: {trials: 3, folds: {length: 7d}}", "examples have no time"),
        ("search: {trials: 3, folds: {count: 0}}", "search.folds.count: "),
    ],
)  # fmt: skip
def test_a_search_that_cannot_be_is_a_sentence(text, said):
    with pytest.raises(FilesRefused) as refused:
        taken(text)
    assert said in str(refused.value)
    assert "trimtab.yaml:" in str(refused.value)


def test_a_gap_that_would_leak_labels_is_refused():
    timed = PROJECT.replace("{label: {column: y}}", "{time: at, label: {column: y, matureAfter: 2d}}")
    with pytest.raises(FilesRefused, match=r"shorter than examples\.label.matureAfter 2d: labels would leak"):
        validate(Project, read(timed + "search: {trials: 3, folds: {gap: 1d}}\n", "trimtab.yaml"))
