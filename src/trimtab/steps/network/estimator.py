"""A torch module as an estimator: `fit`, `predict_proba` and `get_params` as scikit-learn has them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from trimtab.api.project import Training
from trimtab.features.columns import Array
from trimtab.features.schema import FeatureSchema
from trimtab.ports.blocks import Blocks
from trimtab.ports.workers import Workers
from trimtab.steps.fitting.circumstances import Circumstances
from trimtab.steps.network.circumstances import of_torch
from trimtab.steps.network.graph import Answering, to_onnx
from trimtab.steps.network.loader import MatrixBlocks
from trimtab.steps.network.loop import SCORED_ROWS, Fit, device_of
from trimtab.steps.network.seeds import seed_all
from trimtab.steps.network.together import Together, learn_together
from trimtab.steps.network.watch import Watch


class Network:
    """A module that learns in trimtab's loop.

    Attributes:
        max_iter: epochs at most; the schedule stays that of training.epochs.
        early_stopping: whether validation rows end the training.
        n_iter_: the epoch whose weights it has.
        circumstances: of the fit.
    """

    one_at_a_time = True  # torch's random state is the process'

    def __init__(
        self,
        module: nn.Module,
        schema: FeatureSchema,
        settings: Training,
        seed: int,
        name: str,
        hooks: Mapping[str, Callable[..., Any]],
    ) -> None:
        self.module = module
        self.schema = schema
        self.settings = settings
        self.seed = seed
        self.name = name
        self.hooks = dict(hooks)
        self.max_iter = settings.epochs
        self.early_stopping = settings.patience is not None
        self.scale, self.shift = 1.0, 0.0
        self.n_iter_ = 0
        self.circumstances = Circumstances()

    def get_params(self) -> dict[str, Any]:
        loop = self.settings.model_dump(
            exclude={"window", "split", "seed", "resources", "where", "reader", "checkpoint_every"},
            mode="json",
        )
        return {**loop, "max_iter": self.max_iter, "early_stopping": self.early_stopping}

    def set_params(self, max_iter: int, early_stopping: bool) -> "Network":
        self.max_iter, self.early_stopping = max_iter, early_stopping
        return self

    def fit(
        self,
        x: Array,
        y: Array,
        X_val: Array | None = None,
        y_val: Array | None = None,
        watch: Watch | None = None,
    ) -> "Network":
        """Learn from a matrix in memory."""
        rows = MatrixBlocks(x, self.scaled_by(y))
        held = None if X_val is None or y_val is None else MatrixBlocks(X_val, self.scaled(y_val))
        return self.fit_blocks(rows, held, watch)

    def fit_blocks(
        self,
        rows: Blocks,
        validation: Blocks | None,
        watch: Watch | None = None,
        workers: Workers | None = None,
    ) -> "Network":
        """Learn from blocks, whose target is as `scaled_by` and `scaled` have it.

        Args:
            workers: where `training.workers` is more than 1, or they are in pods of their own, if only one; None
                learns in this process whatever `training` says.
        """
        watch = watch or Watch()
        if workers is not None and (self.settings.workers > 1 or self.settings.where == "kuberay"):
            task = Together(
                self.name,
                self.module,
                self.schema,
                self.settings,
                self.seed,
                self.hooks,
                self.max_iter,
                self.early_stopping,
                rows,
                validation,
                watch.checkpoints,
            )
            place, self.circumstances = learn_together(task, workers, watch)
            self.n_iter_ = place.best_epoch
            return self
        before = torch.get_num_threads()
        torch.set_num_threads(self.settings.threads)
        seed_all(self.seed)
        try:
            fit = Fit(
                self.name,
                self.module,
                self.schema,
                self.settings,
                self.seed,
                self.hooks,
                watch,
                self.max_iter,
                self.early_stopping,
            )
            place = fit.run(rows, validation)
            self.circumstances = of_torch(device_of(self.settings))
        finally:
            torch.set_num_threads(before)
        self.n_iter_ = place.best_epoch
        return self

    def predict_proba(self, x: Array) -> Array:
        """Probabilities, float64, shape (rows, classes)."""
        answering = Answering(self.module, self.schema, self.scale, self.shift).eval()
        with torch.no_grad():
            parts = [
                answering(torch.from_numpy(x[at : at + SCORED_ROWS])) for at in range(0, len(x), SCORED_ROWS)
            ]
        outputs = max(1, len(self.schema.classes))
        return torch.cat(parts).double().numpy() if parts else np.empty((0, outputs))

    predict = predict_proba

    def to_onnx(self, width: int, opset: int) -> Any:
        """The ONNX model of `predict_proba`.

        Raises:
            ModelRefused: torch.onnx cannot export the module.
        """
        answering = Answering(self.module, self.schema, self.scale, self.shift).eval()
        return to_onnx(answering, width, self.name, opset)

    def scaled_by(self, y: Array) -> Array:
        """The training rows' target; of a regression with mean 0 and deviation 1, as the module learns it."""
        if self.schema.task == "regression":
            self.shift, self.scale = float(y.mean()), float(y.std()) or 1.0
        return self.scaled(y)

    def scaled(self, y: Array) -> Array:
        """Another target, by the training rows' mean and deviation."""
        return ((y - self.shift) / self.scale).astype(np.float32)
