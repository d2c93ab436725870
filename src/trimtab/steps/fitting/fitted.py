"""A fitted model between the steps of one run: preprocessing, estimator, and where they come from."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.api.errors import SurroundingsFailed
from trimtab.api.project import Training
from trimtab.features.columns import Array, Columns
from trimtab.features.plan import ServingPlan
from trimtab.features.schema import FeatureSchema
from trimtab.steps.fitting.circumstances import Circumstances, of_pools
from trimtab.steps.fitting.contract import (
    ModelSource,
    answers,
    built,
    fitted,
    frozen_params,
    is_network,
    source_again,
)
from trimtab.steps.fitting.forms import AS_IT_IS, Form
from trimtab.steps.fitting.preprocessing import Preprocessing, fit_by_parts
from trimtab.steps.fitting.usage import Meter, sampled

if TYPE_CHECKING:
    from trimtab.ports.workers import Workers
    from trimtab.steps.learning_rows import Rows
    from trimtab.steps.network.watch import Watch

FILE = "fitted.pickle"


@dataclass(frozen=True, slots=True)
class FittedModel:
    """What a fit made.

    Attributes:
        plan: the serving plan of its features.
        name: of the family or model.py, for messages.
        model_digest: sha256 of model.py, hex; "" for a family.
        params: what `build` was given.
        frozen: what early stopping decided.
        rows: training rows.
        learned_from, learned_to: event times of the first and last training row, RFC 3339; "" without time.
        tested_from: the first held-out row's event time; "" for a refit, or without time.
        run_id: in the tracking server.
        reference_skills: mean skill of each of the last days, out of sample (verdicts.md 3).
        metrics: of the held-out rows; a refit carries those of its tested sibling.
        cheaper: the form that passed its gates and is to be exported.
        circumstances: of the fit.
    """

    plan: ServingPlan
    preprocessing: Preprocessing
    estimator: Any
    schema: FeatureSchema
    name: str
    model_digest: str
    params: Mapping[str, Any]
    frozen: Mapping[str, Any]
    seed: int
    rows: int
    learned_from: str
    learned_to: str
    tested_from: str = ""
    run_id: str = ""
    reference_skills: tuple[float, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    cheaper: Form = AS_IT_IS
    circumstances: Circumstances = field(default_factory=Circumstances)

    def answers(self, features: Columns) -> Array:
        """Probabilities, shape (rows, classes), or values, shape (rows, 1), float64."""
        return answers(self.name, self.estimator, self.preprocessing.matrix(features), self.schema)

    def scores(self, features: Columns) -> Array:
        """As `trimtab.quality` takes them: positive-class probability or value, shape (rows,); of several
        classes, shape (rows, classes).
        """
        return scores(self.answers(features), self.plan)

    def scores_of(self, rows: "Rows") -> Array:
        """`scores` of rows that need not be in memory."""
        names = [one.name for one in self.plan.outputs]
        return np.concatenate([self.scores(part) for part in rows.parts(names)])

    def scores_by_epoch(self, features: Columns) -> Iterator[Array]:
        """`scores` as they stood after each epoch, for an estimator that is fitted in stages; else none."""
        name = "staged_predict" if self.plan.task == "regression" else "staged_predict_proba"
        staged = getattr(self.estimator, name, None)
        if staged is None:
            return
        for answered in staged(self.preprocessing.matrix(features)):
            yield scores(np.asarray(answered, np.float64).reshape(len(answered), -1), self.plan)

    def source(self, own: ModelSource) -> ModelSource:
        """What made it, to fit it anew: the project's own model, or what a search chose beside it."""
        return source_again(own, "" if self.model_digest else self.name, self.params)

    @property
    def one_at_a_time(self) -> bool:
        """Whether fits draw from the process' random state, so that two at once could not be repeated."""
        return bool(getattr(self.estimator, "one_at_a_time", False))

    def tracked(self, run_id: str) -> "FittedModel":
        return replace(self, run_id=run_id)

    def save(self, folder: Path) -> None:
        """Write it into a folder. An estimator of a class in model.py is kept with its class."""
        import cloudpickle

        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / FILE).write_bytes(cloudpickle.dumps(self))
        except OSError as error:
            raise SurroundingsFailed(
                f"{folder}: cannot be written ({error.strerror})", remedy="free some disk"
            ) from error

    @staticmethod
    def load(folder: Path) -> "FittedModel":
        """From a folder that a step of this project wrote; never from elsewhere: it runs what it holds."""
        import cloudpickle

        model = cloudpickle.loads((folder / FILE).read_bytes())
        assert isinstance(model, FittedModel)
        return model


def digest_of_answers(answered: Array) -> str:
    """sha256 over answers, to the bit, hex: two models that share it answer these rows alike."""
    exact = np.ascontiguousarray(answered, np.float64)
    return hashlib.sha256(f"{exact.shape}".encode() + exact.tobytes()).hexdigest()


def scores(answered: Array, plan: ServingPlan) -> Array:
    """Answers as `trimtab.quality` takes them."""
    if plan.task == "regression":
        return answered[:, 0]
    return answered[:, -1] if plan.task == "binary" else answered


def fit_model(
    source: ModelSource,
    rows: "Rows",
    seed: int,
    validation: "Rows | None" = None,
    frozen: Mapping[str, Any] | None = None,
    how: Training | None = None,
    watch: "Watch | None" = None,
    workers: "Workers | None" = None,
) -> FittedModel:
    """Preprocessing and estimator fitted on these rows.

    Args:
        rows: no label missing, once filled.
        validation: for early stopping.
        frozen: what an earlier fit's early stopping decided; taken over its params.
        how: settings of a network's loop; None takes the defaults.
        watch: of the training; None tells nobody of it.
        workers: for a network whose `training.workers` is more than 1; None fits in this process.

    Raises:
        ModelRefused: build or fit raised.
    """
    plan, labels, meter = rows.plan, rows.filled(), Meter()
    preprocessing = fit_by_parts(plan.outputs, rows.parts, labels, plan.task)
    schema = preprocessing.schema(plan.task, plan.classes)
    estimator = built(source, schema, seed, how)
    if frozen:
        estimator.set_params(**frozen)
    if is_network(estimator):
        learned_from = rows.blocks(preprocessing, estimator.scaled_by(labels))
        held = None
        if validation is not None:
            held = validation.blocks(preprocessing, estimator.scaled(validation.filled()))
        estimator.fit_blocks(learned_from, held, watch, workers)
    else:
        if watch is not None and how is not None and how.workers > 1:
            watch.say(f"{source.name} is no network: training.workers is of networks, so it is fitted here")
        judged = None
        if validation is not None:
            judged = (_matrix(preprocessing, validation), validation.filled())
        matrix = _matrix(preprocessing, rows)
        with sampled(meter, watch.use) if watch is not None else nullcontext():
            estimator = fitted(source.name, estimator, matrix, labels, judged)
    times = rows.times
    moments = ["", ""] if times is None else [f"{moment}Z" for moment in (times.min(), times.max())]
    return FittedModel(
        plan=plan,
        preprocessing=preprocessing,
        estimator=estimator,
        schema=schema,
        name=source.name,
        model_digest=source.digest,
        params=source.params,
        frozen=dict(frozen or frozen_params(estimator)),
        seed=seed,
        rows=len(labels),
        learned_from=moments[0],
        learned_to=moments[1],
        circumstances=estimator.circumstances if is_network(estimator) else of_pools(),
    )


def _matrix(preprocessing: Preprocessing, rows: "Rows") -> Array:
    names = [one.name for one in rows.plan.outputs]
    whole: Array | None = None
    at = 0
    for features in rows.parts(names):
        part = preprocessing.matrix(features)
        if whole is None:
            if len(part) == len(rows):
                return part
            whole = np.empty((len(rows), part.shape[1]), np.float32)
        whole[at : at + len(part)] = part
        at += len(part)
    assert whole is not None
    return whole
