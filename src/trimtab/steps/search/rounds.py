"""Fits that tell how they fare on the way: ensembles that grow by rounds stop early when a trial is hopeless."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from trimtab.features.columns import Array
from trimtab.features.schema import FeatureSchema
from trimtab.steps.fitting.contract import ModelSource

SHARES: Final = (0.25, 0.5, 0.75)
"""Of the rounds, after which a fit is looked at."""

Look = Callable[[float, Any, Array, FeatureSchema], bool]
"""(share of the rounds, estimator, validation matrix, schema) to whether to stop."""


def looked_at(source: ModelSource, look: Look) -> ModelSource:
    """The same model, but a fit of an ensemble is looked at on the way. Other estimators are as they were."""

    def build(schema: FeatureSchema, **params: Any) -> Any:
        estimator = source.build(schema, **params)
        rounds = rounds_name(estimator)
        return estimator if rounds is None else ByRounds(estimator, rounds, look, schema)

    return replace(source, build=build)


def rounds_name(estimator: Any) -> str | None:
    """The parameter that counts an ensemble's rounds; None where rounds do not add up to the same model."""
    params = estimator.get_params() if hasattr(estimator, "get_params") else {}
    if "warm_start" not in params:
        return None
    if "n_estimators" in params:
        return "n_estimators"
    return "max_iter" if {"max_iter", "max_leaf_nodes"} <= params.keys() else None


class ByRounds:
    """An estimator that is fitted in parts by `warm_start`; ends with the bits of a fit in one.

    It does not tell of `early_stopping`, so that the validation rows come in any case; the estimator itself sees
    them only if it stops early.
    """

    def __init__(self, estimator: Any, rounds: str, look: Look, schema: FeatureSchema) -> None:
        self._estimator, self._rounds, self._look, self._schema = estimator, rounds, look, schema

    def __getattr__(self, name: str) -> Any:
        return getattr(self._estimator, name)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        given = self._estimator.get_params(deep)
        return {name: value for name, value in given.items() if name != "early_stopping"}

    def fit(self, x: Array, y: Array, X_val: Array | None = None, y_val: Array | None = None) -> "ByRounds":
        params = self._estimator.get_params()
        whole = int(params[self._rounds])
        held = {} if params.get("early_stopping", False) is False else {"X_val": X_val, "y_val": y_val}
        self._estimator.set_params(warm_start=True)
        for share in (*SHARES, 1.0):
            rounds = max(1, round(share * whole))
            self._estimator.set_params(**{self._rounds: rounds})
            self._estimator.fit(x, y, **held)
            if getattr(self._estimator, "n_iter_", rounds) < rounds:
                break  # it stopped early by itself
            if share < 1 and X_val is not None and self._look(share, self._estimator, X_val, self._schema):
                break
        return self
