import numpy as np

from trimtab.quality import METRICS
from trimtab.quality.importance import permutation_importance


def test_what_the_model_reads_is_important_and_what_it_does_not_is_not():
    rng = np.random.default_rng(1)
    n = 2000
    features = {"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.normal(size=n)}
    y = features["a"] + 0.3 * features["b"] + rng.normal(size=n)

    def ask(rows):
        return rows["a"] + 0.3 * rows["b"]

    args = (ask, features, y, METRICS["mean_squared_error"], np.arange(n) // 100, 7)
    found = permutation_importance(*args)
    assert [one.feature for one in found] == ["a", "b", "c"]
    # permuting a adds Var(a − a') = 2 to the squared error, b adds 0.09 × 2
    assert abs(found[0].mean - 2) < 4 * found[0].standard_error
    assert abs(found[1].mean - 0.18) < 4 * found[1].standard_error
    assert (found[2].mean, found[2].standard_error) == (0, 0)
    assert permutation_importance(*args) == found


def test_one_day_gives_no_error():
    y = np.arange(50.0)
    metric = METRICS["mean_absolute_error"]
    (found,) = permutation_importance(lambda rows: rows["a"], {"a": y}, y, metric, np.zeros(50, int), 7)
    assert found.mean > 0
    assert np.isnan(found.standard_error)
