"""The ready families: `build` functions by the contract of model.py."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from trimtab.api.errors import ExtraMissing
from trimtab.features.schema import FeatureSchema
from trimtab.steps.fitting.refusals import ModelRefused


def gradient_boosting(schema: FeatureSchema, **params: Any) -> Any:
    """Histogram gradient boosting; category codes are ordinal (native categorical splits export wrongly)."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    regression = schema.task == "regression"
    estimator = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    defaults = {"max_iter": 200, "learning_rate": 0.1, "min_samples_leaf": 50, "early_stopping": True}
    return estimator(**{**defaults, "n_iter_no_change": 8, **params})


def extra_trees(schema: FeatureSchema, **params: Any) -> Any:
    """The mean of trees whose splits are drawn at random (Geurts et al. 2006); category codes are ordinal.

    On one thread: several would add up the trees' answers in the order in which they come.
    """
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    if params.get("n_jobs") not in (None, 1):
        raise ModelRefused(
            "extra_trees takes no n_jobs: with several threads a model would not answer twice alike",
            remedy="take n_jobs out of trimtab.yaml; `search: {atOnce: …}` fits several models at a time",
        )
    estimator = ExtraTreesRegressor if schema.task == "regression" else ExtraTreesClassifier
    defaults = {"n_estimators": 100, "min_samples_leaf": 20, "max_leaf_nodes": 512}
    return estimator(**{**defaults, **params, "n_jobs": 1})


def logistic(schema: FeatureSchema, **params: Any) -> Any:
    """Logistic regression on scaled numbers and one-hot categories."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    if schema.task == "regression":
        raise ModelRefused(
            "model.family logistic takes classes, but the label is a number",
            remedy="take gradient_boosting or extra_trees, or write a model.py",
        )
    numbers = list(range(len(schema.numeric)))
    codes = list(range(len(numbers), len(numbers) + len(schema.categorical)))
    values = [[float(code) for code in range(len(c.vocabulary) + 1)] for c in schema.categorical]
    encode = (
        [("categorical", OneHotEncoder(categories=values, handle_unknown="ignore"), codes)] if codes else []
    )
    keep = [("numeric", "passthrough", numbers)] if numbers else []
    return Pipeline(
        [
            ("columns", ColumnTransformer([*keep, *encode])),
            ("logistic", LogisticRegression(**{"max_iter": 200, "C": 1.0, **params})),
        ]
    )


def mlp(schema: FeatureSchema, **params: Any) -> Any:
    """A network: embedded categories, hidden layers of 128 and 64."""
    try:
        from trimtab.steps.network.mlp import Mlp
    except ModuleNotFoundError as error:
        raise ExtraMissing("torch", "model.family mlp") from error
    return Mlp(schema, **params)


FAMILIES: Final[Mapping[str, Callable[..., Any]]] = {
    "gradient_boosting": gradient_boosting,
    "extra_trees": extra_trees,
    "logistic": logistic,
    "mlp": mlp,
}

REFUSED: Final = frozenset({("extra_trees", "n_jobs")})
"""Parameters of estimators that their families do not take."""
