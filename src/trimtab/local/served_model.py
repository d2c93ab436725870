"""The model of a project, asked in this process: the same parts that a model server runs, on whole tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import Loaded
from trimtab.api.errors import InputRefused
from trimtab.bootstrap.local import registry
from trimtab.local.extras import need
from trimtab.local.frame_kinds import columns_of
from trimtab.ports.registry import ModelVersion

if TYPE_CHECKING:
    import pyarrow as pa

PREDICTION = "prediction"


def in_service(loaded: Loaded, home: Home) -> ModelVersion:
    """The stable version, else the candidate.

    Raises:
        InputRefused: there is neither.
    """
    found = None
    if (home.mlflow / "mlflow.db").exists():
        held, name = registry(home), loaded.project.name
        found = held.alias(name, "stable") or held.alias(name, "candidate")
    if found is None:
        raise InputRefused(f"{loaded.project.name} has no model yet", remedy="trimtab run")
    return found


def predict(version: ModelVersion, online: str | None, table: "pa.Table") -> "pa.Table":
    """What a server of this version answers.

    Args:
        online: address of the online store; None for none.

    Returns:
        column `prediction`: the positive class's probability, the value, or of several classes the likeliest;
        of several classes also `probability_<class>` of each.

    Raises:
        DataRefused: a column is missing or of another kind.
        ExtraMissing: no ONNX Runtime here.
    """
    need("predicting", "train", "serving")
    import pyarrow as pa

    from trimtab.adapters.online import online_reader
    from trimtab.serving.accepted import Rows
    from trimtab.serving.folder import open_folder
    from trimtab.serving.lookup import Lookup
    from trimtab.serving.predictor import Predictor

    folder = open_folder(Path(version.uri))
    plan = folder.plan
    looked_up = {column.name: column.type for view in plan.views for column in view.columns}
    given = columns_of(table, {field.name: field.type for field in plan.inputs}, looked_up)
    store = online_reader(online, plan) if plan.views and online is not None else None
    try:
        predictor = Predictor(folder, Lookup(plan.views, plan.time, store))
        answered = predictor.answer(Rows(given, table.num_rows, False, None, None))
        scores = np.asarray(predictor.scores(answered), np.float64)
    finally:
        if store is not None:
            store.close()
    if plan.task != "multiclass":
        return pa.table({PREDICTION: scores})
    probabilities = next(values for values in answered.outputs.values() if values.ndim == 2)
    named: dict[str, Any] = {PREDICTION: [plan.classes[int(index)] for index in scores]}
    for i, name in enumerate(plan.classes):
        named[f"probability_{name}"] = probabilities[:, i].astype(np.float64)
    return pa.table(named)
