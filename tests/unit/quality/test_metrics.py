import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.quality import METRICS, evaluate
from trimtab.quality.metrics import Beside
from trimtab.quality.row_loss import log_losses

pytestmark = pytest.mark.xdist_group("sklearn")

pairs = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=4, max_size=80).map(
    lambda rows: tuple(np.array(column, float) for column in zip(*rows, strict=True))
)


@pytest.fixture(scope="module")
def sklearn_metrics():
    import sklearn.metrics

    return sklearn.metrics


@given(pairs)
def test_a_ranking_and_its_mirror_share_the_area(rows):
    y, p = rows[0], rows[1] / 20
    auc = METRICS["roc_auc"].compute(y, p)
    if 0 < y.sum() < len(y):
        assert auc == pytest.approx(1 - METRICS["roc_auc"].compute(y, 1 - p))
        assert auc == METRICS["roc_auc"].compute(y, p**3)
    else:
        assert np.isnan(auc)


@pytest.mark.parametrize("seed", range(5))
def test_binary_metrics_equal_scikit_learn(sklearn_metrics, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 300).astype(float)
    p = np.round(np.clip(rng.normal(0.4 + 0.2 * y, 0.2), 0.01, 0.99), 2)
    called = p >= 0.5
    expected = {
        "log_loss": sklearn_metrics.log_loss(y, p),
        "brier_score": sklearn_metrics.brier_score_loss(y, p),
        "roc_auc": sklearn_metrics.roc_auc_score(y, p),
        "average_precision": sklearn_metrics.average_precision_score(y, p),
        "accuracy": sklearn_metrics.accuracy_score(y, called),
        "precision": sklearn_metrics.precision_score(y, called),
        "recall": sklearn_metrics.recall_score(y, called),
        "f1": sklearn_metrics.f1_score(y, called),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(y, called),
        "matthews_corrcoef": sklearn_metrics.matthews_corrcoef(y, called),
        "precision_macro": sklearn_metrics.precision_score(y, called, average="macro"),
        "recall_macro": sklearn_metrics.recall_score(y, called, average="macro"),
        "f1_macro": sklearn_metrics.f1_score(y, called, average="macro"),
    }
    assert evaluate(expected, y, p) == pytest.approx(expected)


def test_multiclass_metrics_equal_scikit_learn(sklearn_metrics):
    rng = np.random.default_rng(1)
    y, p = rng.integers(0, 3, 200), rng.dirichlet([2, 2, 2], 200)
    p = np.clip(p, 0.002, None)
    p /= p.sum(axis=1, keepdims=True)
    found = evaluate(["log_loss", "accuracy", "roc_auc"], y.astype(float), p)
    called = p.argmax(axis=1)
    expected = {
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(y, called),
        "matthews_corrcoef": sklearn_metrics.matthews_corrcoef(y, called),
        "precision_macro": sklearn_metrics.precision_score(y, called, average="macro"),
        "recall_macro": sklearn_metrics.recall_score(y, called, average="macro"),
        "f1_macro": sklearn_metrics.f1_score(y, called, average="macro"),
    }
    assert evaluate(expected, y.astype(float), p) == pytest.approx(expected)
    assert found["log_loss"] == pytest.approx(sklearn_metrics.log_loss(y, p))
    assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(y, p.argmax(axis=1)))
    assert found["roc_auc"] == pytest.approx(sklearn_metrics.roc_auc_score(y, p, multi_class="ovr"))


def test_regression_metrics_equal_scikit_learn(sklearn_metrics):
    rng = np.random.default_rng(2)
    y = rng.normal(size=100)
    p = y + rng.normal(size=100) / 2
    expected = {
        "mean_squared_error": sklearn_metrics.mean_squared_error(y, p),
        "root_mean_squared_error": sklearn_metrics.root_mean_squared_error(y, p),
        "mean_absolute_error": sklearn_metrics.mean_absolute_error(y, p),
        "r2": sklearn_metrics.r2_score(y, p),
        "median_absolute_error": sklearn_metrics.median_absolute_error(y, p),
        "max_error": sklearn_metrics.max_error(y, p),
        "explained_variance": sklearn_metrics.explained_variance_score(y, p),
        "mean_absolute_percentage_error": sklearn_metrics.mean_absolute_percentage_error(y, p),
    }
    assert evaluate(expected, y, p) == pytest.approx(expected)


def test_log_errors_equal_scikit_learn(sklearn_metrics):
    rng = np.random.default_rng(3)
    y, p = rng.exponential(size=100), rng.exponential(size=100)
    expected = {
        "mean_squared_log_error": sklearn_metrics.mean_squared_log_error(y, p),
        "root_mean_squared_log_error": sklearn_metrics.root_mean_squared_log_error(y, p),
    }
    assert evaluate(expected, y, p) == pytest.approx(expected)


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=2, max_size=9),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, 99),
)
@settings(deadline=None)  # scikit-learn is slow in its first calls
def test_ranking_metrics_equal_scikit_learn_group_by_group(sklearn_metrics, queries, seed):
    """Of any groups, tied predictions among them, whose rows come in any order."""
    groups = np.repeat(np.arange(len(queries)), [len(query) for query in queries])
    gain, score = (np.array([pair[i] for query in queries for pair in query], float) for i in (0, 1))
    hit = (gain > 1).astype(float)
    each = [(gain[groups == g], hit[groups == g], score[groups == g]) for g in range(len(queries))]
    gained = [sklearn_metrics.ndcg_score([y], [s]) for y, _, s in each if y.any()]
    hits = [sklearn_metrics.average_precision_score(h, s) for _, h, s in each if h.any()]
    order = np.random.default_rng(seed).permutation(len(gain))
    beside = Beside(groups[order])
    ndcg = METRICS["ndcg"].value(gain[order], score[order], beside)
    precision = METRICS["mean_average_precision"].value(hit[order], score[order], beside)
    assert ndcg == pytest.approx(np.mean(gained) if gained else np.nan, nan_ok=True)
    assert precision == pytest.approx(np.mean(hits) if hits else np.nan, nan_ok=True)


def test_of_tied_rows_the_relevant_one_stands_last():
    y, groups = np.array([0.0, 1, 0, 1, 0]), Beside(np.array([0, 0, 0, 1, 1]))
    assert (
        METRICS["mean_reciprocal_rank"].value(y, np.array([0.5, 0.5, 0.1, 0.9, 0.2]), groups) == (0.5 + 1) / 2
    )


def test_a_forecast_is_measured_by_the_naive_one():
    y, p = np.array([1.0, 2, 4, 0]), np.array([1.0, 3, 2, 0])
    names = ["mean_absolute_scaled_error", "symmetric_mean_absolute_percentage_error"]
    found = evaluate(names, y, p, Beside(scale=1.5))
    assert found == pytest.approx({names[0]: 0.75 / 1.5, names[1]: (0 + 2 / 5 + 4 / 6 + 0) / 4})


@pytest.mark.parametrize("name", sorted(METRICS))
def test_no_rows_never_make_a_good_model(name):
    value = METRICS[name].value(np.array([]), np.array([]), Beside(np.array([], int), 1.0))
    assert np.isnan(value) or value == 0.0


def test_one_certain_error_costs_no_more_than_the_clip_allows():
    assert log_losses(np.array([1.0]), np.array([0.0]))[0] == pytest.approx(-np.log(0.001))
