"""Shares of an answer: they add up, and are what theory says where theory can say it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.quality.shapley import explain

numbers = st.floats(-5, 5).map(lambda value: round(value, 3))


@st.composite
def asked(draw, features=st.integers(1, 6)):
    names = [f"f{i}" for i in range(draw(features))]
    row = {name: np.array([draw(numbers)]) for name in names}
    held = draw(st.integers(1, 5))
    background = {name: np.array([draw(numbers) for _ in range(held)]) for name in names}
    return names, row, background


def tangled(rows):
    """A model of steps and products, as trees and networks are."""
    columns = list(rows.values())
    total = np.sin(columns[0] * 3) + np.prod([np.tanh(column) + 1 for column in columns], axis=0)
    for left, right in pairwise(columns):
        total = total + left * right + np.where(left > right, 2.0, -1.0)
    return total


@given(asked(), st.integers(1, 40), st.integers(0, 99))
@settings(deadline=None)
def test_attributions_add_up_to_the_answer_less_the_baseline(case, pairs, seed):
    names, row, background = case
    found = explain(tangled, row, background, 2 * pairs, seed)
    assert list(found.attributions) == names
    assert sum(found.attributions.values()) == pytest.approx(found.answer - found.baseline, abs=1e-9)
    assert found.answer == pytest.approx(tangled(row)[0])
    assert found == explain(tangled, row, background, 2 * pairs, seed)


@given(asked(), st.lists(numbers, min_size=6, max_size=6))
@settings(deadline=None)
def test_of_a_sum_each_feature_gets_its_own_term_exactly(case, weights):
    names, row, background = case
    by = dict(zip(names, weights, strict=False))
    held = len(background[names[0]])
    found = explain(lambda rows: sum(w * rows[name] for name, w in by.items()), row, background, 2 * held, 7)
    for name, weight in by.items():
        expected = weight * (row[name][0] - background[name].mean())
        assert found.attributions[name] == pytest.approx(expected, abs=1e-9)


def test_a_feature_that_is_not_read_gets_nothing_and_partners_share():
    row = {"a": np.array([2.0]), "b": np.array([3.0]), "idle": np.array([9.0])}
    background = {name: np.array([0.0]) for name in row}
    found = explain(lambda rows: rows["a"] * rows["b"], row, background, 2, 7)
    assert found.attributions == {"a": 3.0, "b": 3.0, "idle": 0.0}  # an antithetic pair sees both orders


def test_texts_are_exchanged_as_numbers_are():
    row, background = {"c": np.array(["UA"], object)}, {"c": np.array(["", "AA"], object)}
    found = explain(lambda rows: (rows["c"] == "UA").astype(float), row, background, 4, 7)
    assert (found.answer, found.baseline, found.attributions) == (1.0, 0.0, {"c": 1.0})


def test_more_walks_come_nearer_to_the_exact_values():
    """Against all 720 orders of six features, from one background row."""
    from itertools import permutations

    rng = np.random.default_rng(4)
    row = {f"f{i}": rng.normal(size=1) for i in range(6)}
    background = {name: np.zeros(1) for name in row}
    exact = dict.fromkeys(row, 0.0)
    for order in permutations(row):
        at = dict(background)
        for name in order:
            before = tangled(at)[0]
            at = {**at, name: row[name]}
            exact[name] += (tangled(at)[0] - before) / 720
    off = {}
    for walks in (8, 800):
        found = explain(tangled, row, background, walks, 7)
        off[walks] = max(abs(found.attributions[name] - value) for name, value in exact.items())
        assert all(
            abs(found.attributions[name] - value) < 5 * found.standard_errors[name] + 1e-9
            for name, value in exact.items()
        )
    assert off[800] < off[8] / 3
