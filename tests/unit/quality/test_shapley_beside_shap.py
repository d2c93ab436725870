"""Our sampled Shapley values beside those of the SHAP library, for the same model, row and background."""

import numpy as np
import pytest

from trimtab.quality.shapley import Explanation, explain

pytestmark = pytest.mark.xdist_group("shap")  # whose compiling takes seconds, once a process
NAMES = [f"f{i}" for i in range(6)]
HELD = 16


@pytest.fixture(scope="module")
def shap():
    import shap

    return shap


@pytest.fixture(scope="module")
def background():
    return np.random.default_rng(5).normal(size=(HELD, len(NAMES)))


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(6).normal(size=(20, len(NAMES)))


def linear(x):
    return x @ np.arange(1.0, 7.0) - 2


def of_pairs(x):
    """No term reads more than two features: pairs of walks then see all that orders can tell."""
    return (
        np.sin(3 * x[:, 0])
        + x[:, 0] * x[:, 1]
        + np.where(x[:, 2] > x[:, 3], 2.0, -1.0)
        + np.abs(x[:, 4] - x[:, 5])
    )


def tangled(x):
    return np.where(x[:, 0] > 0, np.prod(np.tanh(x) + 1, axis=1), x[:, 1] * x[:, 2] * x[:, 3]) + of_pairs(x)


def ours(model, row, background, permutations, seed=7) -> Explanation:
    def columns(x):
        return dict(zip(NAMES, x.T, strict=True))

    def ask(walked):
        return model(np.stack([walked[name] for name in NAMES], axis=1))

    return explain(ask, columns(row[None, :]), columns(background), permutations, seed)


def values(found: Explanation):
    return np.array([found.attributions[name] for name in NAMES])


def errors(found: Explanation):
    return np.array([found.standard_errors[name] for name in NAMES])


def exact(shap, model, rows, background):
    """SHAP's sum over all 2⁶ coalitions, and the baseline."""
    masker = shap.maskers.Independent(background, max_samples=len(background))
    found = shap.ExactExplainer(model, masker)(rows)
    return found.values, found.base_values


@pytest.mark.parametrize("model", [linear, of_pairs])
def test_without_terms_of_three_features_one_pair_of_walks_a_row_is_exact(shap, background, rows, model):
    expected, baselines = exact(shap, model, rows, background)
    for row, value, baseline in zip(rows, expected, baselines, strict=True):
        found = ours(model, row, background, 2 * HELD)
        assert found.baseline == pytest.approx(baseline, abs=1e-9)
        np.testing.assert_allclose(values(found), value, atol=1e-9, rtol=0)


def test_of_a_linear_model_both_have_the_closed_form(shap, background, rows):
    expected = np.arange(1.0, 7.0) * (rows - background.mean(axis=0))
    np.testing.assert_allclose(exact(shap, linear, rows, background)[0], expected, atol=1e-9, rtol=0)
    for row, value in zip(rows, expected, strict=True):
        np.testing.assert_allclose(values(ours(linear, row, background, 2 * HELD)), value, atol=1e-9, rtol=0)


@pytest.mark.parametrize("permutations", [32, 256, 1_024])
def test_other_models_agree_within_the_errors_that_we_state(shap, background, rows, permutations):
    """Errors count the background rows' differences too, which are not drawn: they are what they say, at worst."""
    expected = exact(shap, tangled, rows, background)[0]
    found = [ours(tangled, row, background, permutations, seed) for seed, row in enumerate(rows)]
    off = np.abs(np.stack([values(one) for one in found]) - expected)
    stated = np.stack([errors(one) for one in found])
    assert (off <= 4 * stated + 1e-9).all()
    assert (off <= 1.96 * stated + 1e-9).mean() >= 0.95


def test_from_one_background_row_the_stated_errors_cover_as_they_say(shap, rows):
    """Then only orders are drawn, and 1.96 standard errors are to cover 95 %: of 20 × 6 × 10 draws."""
    background = np.zeros((1, len(NAMES))) + 0.3
    expected = exact(shap, tangled, rows, background)[0]
    within = []
    for seed in range(10):
        found = [ours(tangled, row, background, 512, 100 * seed + i) for i, row in enumerate(rows)]
        off = np.abs(np.stack([values(one) for one in found]) - expected)
        within.append(off <= 1.96 * np.stack([errors(one) for one in found]) + 1e-9)
    assert 0.93 <= np.mean(within) <= 0.98


def test_sampling_and_kernel_explainers_of_shap_agree_too(shap, background, rows):
    masker = shap.maskers.Independent(background, max_samples=HELD)
    permuted = shap.PermutationExplainer(tangled, masker, seed=3)(
        rows[:3], max_evals=50 * 13, silent=True
    ).values
    kernel = shap.KernelExplainer(tangled, background).shap_values(rows[:3], silent=True)
    for row, one, other in zip(rows[:3], permuted, kernel, strict=True):
        found = ours(tangled, row, background, 1_024)
        for peer in (one, other):
            assert (np.abs(values(found) - peer) <= 4 * errors(found) + 1e-9).all()


def test_of_boosted_trees_ours_agree_with_the_values_that_shap_reads_off_the_trees(shap, background, rows):
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(8)
    taught = rng.normal(size=(3_000, len(NAMES)))
    trees = HistGradientBoostingRegressor(max_iter=40, random_state=1).fit(
        taught, tangled(taught) + rng.normal(size=3_000)
    )
    explainer = shap.TreeExplainer(trees, data=background, feature_perturbation="interventional")
    expected = explainer.shap_values(rows)
    found = [ours(trees.predict, row, background, 1_024) for row in rows]
    off = np.abs(np.stack([values(one) for one in found]) - expected)
    stated = np.stack([errors(one) for one in found])
    assert (off <= 4 * stated + 1e-6).all()
    assert off.mean() < 0.05 * np.abs(expected).mean()
