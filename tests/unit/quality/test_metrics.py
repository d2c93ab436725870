import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.quality import METRICS, evaluate
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
    }
    assert evaluate(expected, y, p) == pytest.approx(expected)


def test_multiclass_metrics_equal_scikit_learn(sklearn_metrics):
    rng = np.random.default_rng(1)
    y, p = rng.integers(0, 3, 200), rng.dirichlet([2, 2, 2], 200)
    p = np.clip(p, 0.002, None)
    p /= p.sum(axis=1, keepdims=True)
    found = evaluate(["log_loss", "accuracy", "roc_auc"], y.astype(float), p)
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
    }
    assert evaluate(expected, y, p) == pytest.approx(expected)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_no_rows_never_make_a_good_model(name):
    value = METRICS[name].compute(np.array([]), np.array([]))
    assert np.isnan(value) or value == 0.0


def test_one_certain_error_costs_no_more_than_the_clip_allows():
    assert log_losses(np.array([1.0]), np.array([0.0]))[0] == pytest.approx(-np.log(0.001))
