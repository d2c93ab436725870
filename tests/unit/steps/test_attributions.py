"""What moves a model's answers, over rows: as SHAP's global importance has it."""

import numpy as np
import pytest

from trimtab.steps.attributions import ROWS, attributions


@pytest.fixture(scope="module")
def shap():
    import shap

    return shap


def of_pairs(columns):
    return np.sin(3 * columns["a"]) + columns["a"] * columns["b"] + 0.2 * columns["c"] + 0 * columns["idle"]


def asked(rows, seed):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=rows) for name in ("idle", "c", "b", "a")}


@pytest.mark.xdist_group("shap")
def test_means_and_order_are_those_of_shap_s_bar_plot(shap):
    features, background = asked(ROWS, 1), asked(16, 2)
    found = attributions(of_pairs, features, of_pairs(features), background, 7)

    def model(matrix):
        return of_pairs(dict(zip(features, matrix.T, strict=True)))

    held = shap.maskers.Independent(np.stack(list(background.values()), axis=1), max_samples=16)
    values = shap.ExactExplainer(model, held)(np.stack(list(features.values()), axis=1)).values
    expected = dict(zip(features, np.abs(values).mean(axis=0), strict=True))
    assert [one.feature for one in found] == sorted(expected, key=lambda name: -expected[name])
    for one in found:
        assert one.mean == pytest.approx(expected[one.feature], abs=1e-9)
    assert (found[-1].feature, found[-1].mean) == ("idle", 0.0)


def test_of_several_classes_the_likeliest_of_each_row_is_explained():
    def answers(columns):
        first = 1 / (1 + np.exp(-columns["a"]))
        return np.stack([first, 1 - first], axis=1)

    features, background = {"a": np.array([3.0, -3.0])}, {"a": np.array([0.0])}
    (found,) = attributions(answers, features, answers(features), background, 7)
    up = 1 / (1 + np.exp(-3)) - 0.5
    np.testing.assert_allclose(found.values, [up, up])


def test_places_put_numbers_in_order_and_leave_out_texts_and_what_is_missing():
    features = {"n": np.array([5.0, np.nan, -1.0, 2.0]), "t": np.array(["x", "", "y", "x"], object)}
    background = {"n": np.array([0.0]), "t": np.array([""], object)}
    found = attributions(lambda rows: np.nan_to_num(rows["n"]), features, np.zeros(4), background, 7)
    by = {one.feature: one for one in found}
    np.testing.assert_array_equal(by["n"].places, [1.0, np.nan, 0.0, 0.5])
    np.testing.assert_array_equal(by["n"].values, [5.0, 0.0, -1.0, 2.0])
    assert np.isnan(by["t"].places).all()
