"""A fit in parts ends with the bits of a fit in one, and can be broken off on the way."""

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("search")


def data():
    draw = np.random.default_rng(3)
    x = draw.normal(size=(800, 4)).astype(np.float32)
    y = (x[:, 0] + draw.normal(size=800) > 0).astype(float)
    return x[:600], y[:600], x[600:], y[600:]


def built(params, look, family="gradient_boosting"):
    from trimtab.features.schema import FeatureSchema
    from trimtab.steps.fitting.contract import built as build
    from trimtab.steps.fitting.contract import family_source
    from trimtab.steps.search.rounds import looked_at

    schema = FeatureSchema(("a", "b", "c", "d"), (), "binary", ("0", "1"))
    source = family_source(family, params)
    return build(source if look is None else looked_at(source, look), schema, 7)


def fitted(estimator):
    from trimtab.steps.fitting.contract import fitted as fit

    x, y, held_x, held_y = data()
    return fit("test", estimator, x, y, (held_x, held_y))


@pytest.mark.parametrize(
    "stops", [{"early_stopping": False, "max_iter": 30}, {"max_iter": 300, "learning_rate": 0.3}]
)
def test_parts_give_the_bits_of_one_fit(stops):
    looks = []
    plain = fitted(built(stops, None))
    in_parts = fitted(built(stops, lambda share, *_: bool(looks.append(share))))
    held = data()[2]
    np.testing.assert_array_equal(in_parts.predict_proba(held), plain.predict_proba(held))
    assert in_parts.n_iter_ == plain.n_iter_
    assert looks in ([0.25, 0.5, 0.75], [])


def test_trees_at_random_are_drawn_in_parts_as_in_one_fit():
    looks = []
    plain = fitted(built({}, None, "extra_trees"))
    in_parts = fitted(built({}, lambda share, *_: bool(looks.append(share)), "extra_trees"))
    held = data()[2]
    np.testing.assert_array_equal(in_parts.predict_proba(held), plain.predict_proba(held))
    assert looks == [0.25, 0.5, 0.75]


def test_a_fit_is_broken_off_where_it_is_hopeless():
    in_parts = fitted(built({"early_stopping": False, "max_iter": 40}, lambda share, *_: share >= 0.5))
    assert in_parts.n_iter_ == 20


def test_an_estimator_without_rounds_is_left_as_it_is():
    from sklearn.linear_model import LogisticRegression

    from trimtab.steps.search.rounds import rounds_name

    assert rounds_name(LogisticRegression()) is None
    assert rounds_name(object()) is None
