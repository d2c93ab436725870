"""Behaviour tests of trimtab.yaml, asked of a model that one can see through."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.api.errors import InputRefused
from trimtab.api.evaluation import Evaluation
from trimtab.steps.behaviour import behave

KINDS = {"rate": "number", "carrier": "string", "at": "timestamp", "holiday": "boolean"}
INPUTS = {
    "rate": np.array([0.1, 0.2, np.nan, 0.4]),
    "carrier": np.array(["AA", "B6", "", "AA"], dtype=object),
    "at": np.array(["2013-01-01", "2013-01-02", "NaT", "2013-01-04"], "datetime64[us]"),
    "holiday": np.array([0.0, 1.0, np.nan, 0.0]),
}
IDS = np.array(["r0", "r1", "r2", "r3"], dtype=object)


def answer(rows):
    """Falls with the rate; leaps for B6; looks at nothing else."""
    return 0.5 - np.nan_to_num(rows["rate"]) + 0.3 * (rows["carrier"] == "B6")


def run(*tests, ask=answer, classes=2):
    declared = Evaluation.model_validate({"behaviour": [{"name": "it", **test} for test in tests]})
    return behave(declared.behaviour, INPUTS, KINDS, IDS, ask, classes)[0]


def test_an_answer_that_moves_breaks_invariance_and_the_worst_row_is_named():
    found = run({"test": "invariance", "set": {"carrier": ["B6", "AA"]}, "atMost": 0.1})
    assert (found.found.passed, found.refuses, found.found.rows, found.found.failed) == (False, True, 4, 4)
    assert found.found.worst.after - found.found.worst.before == pytest.approx(0.3)
    assert next(iter(found.example)) == "carrier"
    assert "moves by at most 0.1" in found.sentence
    assert run(
        {"test": "invariance", "set": {"at": ["2013-05-01T00:00:00Z", None], "holiday": [True]}}
    ).found.passed


def test_the_direction_of_an_answer():
    risen = run({"test": "direction", "add": {"rate": 0.1}, "answer": "rises"})
    assert risen.found.failed == 3  # what is missing stays missing, and so does the answer
    assert risen.found.worst.after - risen.found.worst.before == pytest.approx(-0.1)
    assert run({"test": "direction", "add": {"rate": 0.1}, "answer": "falls"}).found.passed
    assert run({"test": "direction", "add": {"rate": 0.1}, "answer": "rises", "tolerance": 0.1}).found.passed
    assert run({"test": "direction", "add": {"rate": 0.1}, "answer": "rises", "share": 0.75}).found.passed


def test_minimum_functionality_on_the_rows_that_it_is_about():
    found = run(
        {"test": "minimum_functionality", "where": {"carrier": ["AA"]}, "atMost": 0.3, "else": "warn"}
    )
    assert (found.found.rows, found.found.failed, found.refuses, found.example_id) == (2, 1, False, "r0")
    missing = run({"test": "minimum_functionality", "where": {"carrier": [None]}, "atLeast": 0.5})
    assert (missing.found.rows, missing.found.passed) == (1, True)
    made = run({"test": "minimum_functionality", "set": {"rate": 9}, "atMost": -8})
    assert (made.found.rows, made.found.passed) == (4, True)


def test_no_rows_are_no_pass():
    found = run({"test": "invariance", "where": {"carrier": ["ZZ"]}, "set": {"rate": [1]}})
    assert found.refuses
    assert "no row of the test part meets" in found.sentence


def test_an_answer_that_is_no_number_breaks_every_rule():
    nan = run({"test": "invariance", "set": {"rate": [1]}, "atMost": 99}, ask=lambda rows: np.full(4, np.nan))
    assert nan.found.failed == 4


@given(st.floats(0, 1), st.integers(0, 99))
@settings(deadline=None)
def test_of_several_classes_the_one_that_moves_most_counts(by, seed):
    before = np.random.default_rng(seed).dirichlet([1, 1, 1], 4)

    def ask(rows):
        moved = before.copy()
        moved[:, 2] += by * (rows["holiday"] == 1)
        return moved

    found = run({"test": "invariance", "set": {"holiday": [True]}, "atMost": 2}, ask=ask, classes=3)
    assert found.found.worst.after - found.found.worst.before == pytest.approx(by, abs=1e-12)


@pytest.mark.parametrize(
    ("test", "classes", "said"),
    [
        ({"test": "invariance", "set": {"rates": [1]}}, 2, "'rates' is no input"),
        ({"test": "invariance", "set": {"rate": ["high"]}}, 2, "'high' is no number"),
        ({"test": "invariance", "set": {"at": ["soon"]}}, 2, "'soon' is no RFC 3339 time"),
        ({"test": "direction", "add": {"carrier": 1}, "answer": "rises"}, 2, "only a number can be added to"),
        ({"test": "direction", "add": {"rate": 1}, "answer": "rises"}, 3, "needs one answer a row"),
    ],
)
def test_a_test_that_does_not_fit_is_refused_by_name(test, classes, said):
    with pytest.raises(InputRefused, match=said) as refused:
        run(test, classes=classes)
    assert "evaluation.behaviour 'it'" in refused.value.message
    assert refused.value.remedy
