"""model.py's contract: `build(schema, **params)` gives an estimator that can fit and predict, or a torch module.

The estimator is given one float32 matrix, numeric columns then category codes. Where its `fit` takes `X_val`
and `y_val`, the validation rows are passed, for early stopping. A torch module becomes an estimator by trimtab's loop
(`steps.network`); `loss(logits, y)` and `optimizer(parameters)` in its model.py take the place of the loop's own.
"""

import hashlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from trimtab.api.errors import ExtraMissing, TrimtabError
from trimtab.api.project import Training
from trimtab.features.columns import Array
from trimtab.features.definition import told
from trimtab.features.schema import FeatureSchema
from trimtab.steps.fitting.circumstances import one_openmp_thread
from trimtab.steps.fitting.families import FAMILIES
from trimtab.steps.fitting.refusals import ModelRefused

SUM_TOLERANCE = 1e-3
HOOKS: Final = ("loss", "optimizer")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where an estimator comes from.

    Attributes:
        build: the contract's function.
        name: the family, or the file as the user knows it.
        digest: sha256 of the file, hex; "" for a family.
        params: passed to `build`.
        hooks: functions of a model.py that a network's loop takes in place of its own.
    """

    build: Callable[..., Any]
    name: str
    digest: str
    params: Mapping[str, Any]
    hooks: Mapping[str, Callable[..., Any]] = field(default_factory=dict)


def family_source(family: str, params: Mapping[str, Any]) -> ModelSource:
    """A ready family.

    Raises:
        ModelRefused: there is none of this name.
    """
    if family not in FAMILIES:
        raise ModelRefused(f"model.family '{family}' is not known", remedy=f"one of {', '.join(FAMILIES)}")
    return ModelSource(FAMILIES[family], family, "", dict(params))


def file_source(path: Path) -> ModelSource:
    """The `build` of a model.py.

    Raises:
        ModelRefused: the file is missing, raises, or has no `build`.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ModelRefused(
            f"{path}: cannot be read ({error.strerror})",
            remedy="name an existing file under model: in trimtab.yaml",
        ) from error
    digest = hashlib.sha256(source).hexdigest()
    module = ModuleType(f"trimtab_model_{digest[:8]}")
    module.__file__ = str(path)
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except ModuleNotFoundError as error:
        if error.name == "torch":
            raise ExtraMissing("torch", str(path)) from error
        raise ModelRefused(f"{path}: {told(error, str(path))}", remedy="mend the file") from error
    except Exception as error:
        raise ModelRefused(f"{path}: {told(error, str(path))}", remedy="mend the file") from error
    build = getattr(module, "build", None)
    if not callable(build):
        raise ModelRefused(f"{path}: has no function build", remedy="write def build(schema, **params): …")
    hooks = {name: module.__dict__[name] for name in HOOKS if callable(module.__dict__.get(name))}
    return ModelSource(build, str(path), digest, {}, hooks)


def source_again(own: ModelSource, family: str, params: Mapping[str, Any]) -> ModelSource:
    """What made a model, to fit it anew: a family's with these parameters, or with family "" the project's model.py."""
    return family_source(family, params) if family else replace(own, params=params)


def built(source: ModelSource, schema: FeatureSchema, seed: int, how: Training | None = None) -> Any:
    """A new estimator, with the seed where it takes one and states none.

    Args:
        how: settings of a network's loop; None takes the defaults.

    Raises:
        ModelRefused: build raised, or gave no estimator.
    """
    estimator = _called(source, schema)
    if is_module(estimator):
        from trimtab.steps.network.estimator import Network
        from trimtab.steps.network.seeds import seed_all

        seed_all(seed)  # first weights are drawn as a module is built
        module = _called(source, schema)
        return Network(module, schema, how or Training(), seed, source.name, source.hooks)
    if not hasattr(estimator, "fit") or not (
        hasattr(estimator, "predict_proba") or hasattr(estimator, "predict")
    ):
        kind = type(estimator).__name__
        raise ModelRefused(
            f"{source.name}: build gave {kind}, which has no fit and predict",
            remedy="return a scikit-learn estimator or a torch.nn.Module",
        )
    if schema.task != "regression" and not hasattr(estimator, "predict_proba"):
        raise ModelRefused(
            f"{source.name}: {type(estimator).__name__} gives no probabilities, but the label is a class",
            remedy="return an estimator with predict_proba",
        )
    if hasattr(estimator, "get_params"):
        unseeded = {
            name: seed
            for name, value in estimator.get_params().items()
            if (name == "random_state" or name.endswith("__random_state")) and value is None
        }
        if unseeded:
            estimator.set_params(**unseeded)
    return estimator


def _called(source: ModelSource, schema: FeatureSchema) -> Any:
    try:
        return source.build(schema, **source.params)
    except TrimtabError:
        raise
    except Exception as error:
        raise ModelRefused(
            f"{source.name}: build raised {told(error, source.name)}", remedy="mend build, or model.params"
        ) from error


def is_module(made: Any) -> bool:
    """Whether it is a torch module; torch is not imported for those who have none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(made, torch.nn.Module)


def is_network(estimator: Any) -> bool:
    """Whether it learns in trimtab's loop, from rows that need not be in memory."""
    return hasattr(estimator, "fit_blocks")


def fitted(
    name: str,
    estimator: Any,
    x: Array,
    y: Array,
    validation: tuple[Array, Array] | None,
) -> Any:
    """The estimator, fitted on one OpenMP thread.

    A second thread gains little beside a busy core and loses much: its teams spin while they wait (measured on
    two shared cores: 2.6 s with one thread, 7 to 20 s with two). Several fits run side by side instead.

    Args:
        validation: matrix and target for early stopping, if the estimator's `fit` takes them.

    Raises:
        ModelRefused: fit raised.
    """
    extra: dict[str, Any] = {}
    params = estimator.get_params() if hasattr(estimator, "get_params") else {}
    takes = inspect.signature(estimator.fit).parameters
    stops = params.get("early_stopping", True) is not False  # scikit-learn refuses X_val otherwise
    if validation is not None and stops and "X_val" in takes:
        extra = {"X_val": validation[0], "y_val": validation[1]}
    try:
        with one_openmp_thread():
            estimator.fit(x, y, **extra)
    except TrimtabError:
        raise
    except Exception as error:
        raise ModelRefused(
            f"{name}: fit raised {told(error, name)}", remedy="mend the estimator's fit"
        ) from error
    return estimator


def frozen_params(estimator: Any) -> dict[str, Any]:
    """What early stopping decided, for a refit on all rows without validation: the number of epochs."""
    params = estimator.get_params() if hasattr(estimator, "get_params") else {}
    if "early_stopping" in params and "max_iter" in params and hasattr(estimator, "n_iter_"):
        return {"max_iter": max(1, int(estimator.n_iter_)), "early_stopping": False}
    return {}


def answers(name: str, estimator: Any, x: Array, schema: FeatureSchema) -> Array:
    """Probabilities, shape (rows, classes), or values, shape (rows, 1), float64.

    Raises:
        ModelRefused: it raised, or gave another shape, a NaN, or probabilities that do not sum to 1.
    """
    regression = schema.task == "regression"
    try:
        given = np.asarray(estimator.predict(x) if regression else estimator.predict_proba(x), np.float64)
    except Exception as error:
        raise ModelRefused(
            f"{name}: predict raised {told(error, name)}", remedy="mend the estimator"
        ) from error
    given = given.reshape(len(x), -1)
    if given.shape[1] != (1 if regression else len(schema.classes)):
        raise ModelRefused(
            f"{name}: answered {given.shape[1]} columns for {len(schema.classes)} classes",
            remedy="give one probability a class, in the order of schema.classes",
        )
    wrong = ~np.isfinite(given).all(axis=1)
    if wrong.any():
        raise ModelRefused(
            f"{name}: answered NaN or infinity for {int(wrong.sum())} of {len(x)} rows, first row "
            f"{int(np.flatnonzero(wrong)[0])}",
            remedy="look for a diverging fit or a division by zero; inputs have no missing values",
        )
    if not regression and np.abs(given.sum(axis=1) - 1).max(initial=0) > SUM_TOLERANCE:
        raise ModelRefused(
            f"{name}: probabilities of a row do not sum to 1", remedy="normalise predict_proba"
        )
    return given
