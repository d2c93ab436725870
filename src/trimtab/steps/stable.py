"""The revision in service, on the same held-out rows: by its own plan, features.py and ONNX file."""

import calendar
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trimtab.api.project import Project
from trimtab.features.columns import Array
from trimtab.features.definition import load_features
from trimtab.features.plan import ServingPlan
from trimtab.ports.engine import Engine
from trimtab.ports.tables import Pointer
from trimtab.steps.fitting.fitted import scores
from trimtab.steps.learning_rows import LearningRows
from trimtab.steps.model_folder import read_model_folder
from trimtab.steps.raw_inputs import raw_inputs
from trimtab.steps.scoring import OnnxModel

WEEK = 7


def unseen_by(stable: Path, rows: LearningRows) -> Array:
    """Mask of rows later than any that stable learned from; all rows where that cannot be known."""
    learned_to = str(read_model_folder(stable).metadata.get("trimtab.learned.to", ""))
    if rows.times is None or not learned_to:
        return np.ones(len(rows), bool)
    return np.asarray(rows.times > np.datetime64(learned_to.removesuffix("Z"), "us"))


def months_dropped(stable: Path, rows: LearningRows) -> list[str]:
    """Calendar months of which stable learned from a week or more, and these rows hold nothing, in order."""
    metadata = read_model_folder(stable).metadata
    first, last = (
        str(metadata.get(f"trimtab.learned.{end}", "")).removesuffix("Z") for end in ("from", "to")
    )
    if rows.times is None or not first or not last:
        return []
    days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
    months, count = np.unique(days.astype("datetime64[M]").astype(np.int64) % 12, return_counts=True)
    held = np.unique(rows.times[~np.isnat(rows.times)].astype("datetime64[M]").astype(np.int64) % 12)
    return [calendar.month_name[month + 1] for month in np.setdiff1d(months[count >= WEEK], held).tolist()]


def stable_scores(
    project: Project, stable: Path, rows: LearningRows, pointers: Mapping[str, Pointer], engine: Engine
) -> Array:
    """Stable's answers for these rows, as `trimtab.quality` takes them.

    Args:
        stable: its model folder.
        pointers: the examples' and the viewed tables, from which its features are computed where its
            features.py is another.

    Raises:
        TrimtabError: its features can no longer be computed from the tables.
    """
    plan = ServingPlan.from_json((stable / "plan.json").read_bytes())
    model = OnnxModel(stable / "model.onnx", plan)
    if (plan.transform_digest, plan.outputs) == (rows.plan.transform_digest, rows.plan.outputs):
        return scores(model.answers(rows.features), plan)
    definition = load_features(stable / "features.py")
    inputs = raw_inputs(project, rows, definition.request, plan.views, pointers, engine)
    return scores(model.answers(definition.features(inputs)), plan)
