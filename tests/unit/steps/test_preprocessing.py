"""Preprocessing learns from training rows, and never lets a missing value through."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trimtab.features.schema import Field
from trimtab.steps.fitting.preprocessing import fit_preprocessing
from trimtab.steps.fitting.refusals import TrainingRefused

FIELDS = (Field("x", "number"), Field("word", "string"))
NUMBERS = arrays(np.float64, 40, elements=st.one_of(st.just(np.nan), st.floats(-1e6, 1e6, width=32)))
WORDS = st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=40, max_size=40)


@given(NUMBERS, WORDS, NUMBERS, WORDS)
def test_the_matrix_is_finite_whatever_comes(
    x: np.ndarray, word: list[str], later: np.ndarray, new: list[str]
) -> None:
    target = np.arange(40.0) % 2
    fitted = fit_preprocessing(FIELDS, {"x": x, "word": np.array(word, object)}, target, "binary")
    matrix = fitted.matrix({"x": later, "word": np.array(new, object)})
    schema = fitted.schema("binary", ("0", "1"))
    assert matrix.dtype == np.float32
    assert matrix.shape == (40, len(schema.numeric) + len(schema.categorical))
    assert np.isfinite(matrix).all()
    assert ("x_missing" in schema.numeric) == bool(np.isnan(x).any())


def test_a_missing_or_new_category_has_code_0_and_a_rare_one_too() -> None:
    word = np.array(["often"] * 30 + ["seldom"] * 3 + [""] * 7, object)
    fitted = fit_preprocessing((FIELDS[1],), {"word": word}, np.zeros(40), "binary")
    assert fitted.categorical[0].vocabulary == ("often",)
    asked = np.array(["often", "seldom", "", "never seen"], object)
    assert fitted.matrix({"word": asked})[:, 0].tolist() == [1, 0, 0, 0]


def test_codes_stand_in_order_of_the_target() -> None:
    word = np.array(["c"] * 40 + ["a"] * 40 + ["b"] * 40, object)
    target = np.array([0.0] * 40 + [1.0] * 40 + [0.0, 1.0] * 20)
    fitted = fit_preprocessing((FIELDS[1],), {"word": word}, target, "binary")
    assert fitted.categorical[0].vocabulary == ("c", "b", "a")


def test_an_infinite_feature_is_refused_with_its_row() -> None:
    x = np.array([1.0, 2.0, np.inf, 4.0])
    with pytest.raises(TrainingRefused, match="'x' is infinite in training row 2"):
        fit_preprocessing((FIELDS[0],), {"x": x}, np.zeros(4), "binary")
