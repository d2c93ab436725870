"""export: the model folder, once the ONNX file has been proven equal to the source model on real rows."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.api.errors import InputRefused
from trimtab.api.monitor import Window
from trimtab.api.project import Project
from trimtab.api.provenance import Provenance, Results
from trimtab.drift import LabelRule, learn_profile
from trimtab.features.columns import Array, take
from trimtab.ports.engine import Engine
from trimtab.ports.tables import Pointer, Tables
from trimtab.steps.background import background_of, to_json
from trimtab.steps.fitting.fitted import FittedModel, digest_of_answers
from trimtab.steps.fitting.forms import Form
from trimtab.steps.fitting.graph import exported
from trimtab.steps.fitting.refusals import ModelRefused
from trimtab.steps.learning_rows import LearningRows, read_learning_rows
from trimtab.steps.model_folder import ModelFolder, folder_digest, write_model_folder
from trimtab.steps.refit import lineage_of
from trimtab.steps.scoring import OnnxModel

PROVEN_ROWS = 10_000
TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Exported:
    """What export made.

    Attributes:
        folder: the model folder.
        difference: greatest difference between ONNX Runtime and the source model over `rows` real rows; before
            it was made smaller, where it was.
        provenance: with the digests of all that was made; None where none was given.
    """

    folder: ModelFolder
    difference: float
    rows: int
    provenance: Provenance | None = None


def export(
    project: Project,
    fitted: Path,
    features: Pointer,
    transform: bytes | None,
    engine: Engine,
    tables: Tables,
    models: Path,
    provenance: Provenance | None = None,
) -> Exported:
    """Write the model folder of a fitted model.

    Args:
        fitted: folder of the model, refitted or not.
        features: the table that it learned from.
        transform: features.py's bytes; None where the project has none.
        models: root of the model folders.
        provenance: of the fitted model; it goes into the manifest, with what is made here.

    Raises:
        InputRefused: features.py is not the one that the features were made with.
        ModelRefused: the ONNX file answers otherwise than the model by more than 1e-5.
    """
    model = FittedModel.load(fitted)
    digest = "" if transform is None else hashlib.sha256(transform).hexdigest()
    if digest != model.plan.transform_digest:
        raise InputRefused(
            f"features.py (digest {digest[:12] or 'none'}) is not the one that the features were made with "
            f"({model.plan.transform_digest[:12] or 'none'})",
            remedy="run featurize and train again with this features.py",
        )
    rows = read_learning_rows(features, engine, tables)
    onnx = exported(model.preprocessing, model.estimator, model.plan.outputs, model.plan.task, model.name)
    proof = _proven(model, onnx, rows)
    if model.cheaper:
        learned = take(rows.features, np.flatnonzero(_learned_from(model, rows)))
        onnx = model.cheaper.of(onnx, model.plan.outputs, learned)
        answered = OnnxModel(onnx, model.plan).answers(take(rows.features, _chosen(rows)))
        proof = replace(proof, exported=digest_of_answers(answered))
    files = {
        "model.onnx": onnx,
        "plan.json": model.plan.to_json().encode(),
        "profile.json": _profile(model, rows, project.monitor.window),
        "samples.json": _samples(tables, features),
        "background.json": _background(model, rows),
    }
    if transform is not None:
        files["features.py"] = transform
    if provenance is not None:
        provenance = _completed(provenance, files, proof, model.cheaper)
    metadata: dict[str, Any] = {
        "project": project.name,
        "metrics": dict(model.metrics),
        "features": features.to_json(),
        **lineage_of(model),
        **({"trimtab.quantized": model.cheaper.quantize} if model.cheaper.quantize else {}),
        **({"trimtab.pruned": str(model.cheaper.prune)} if model.cheaper.prune else {}),
        **(provenance.tags() | {"provenance": provenance.to_dict()} if provenance else {}),
    }
    folder = write_model_folder(models, files, metadata)
    return Exported(folder, proof.difference, proof.rows, provenance)


@dataclass(frozen=True, slots=True)
class _Proof:
    """How far apart two models' answers are at most, over how many rows; and the digests of both."""

    difference: float
    rows: int
    source: str
    exported: str


def _completed(provenance: Provenance, files: Mapping[str, bytes], proof: _Proof, form: Form) -> Provenance:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    results = Results(
        trained=provenance.results.trained,
        fitted=proof.source,
        files=digests,
        exported=folder_digest(digests),
        predictions=proof.exported,
    )
    return provenance.model_copy(
        update={"results": results, "quantized": form.quantize, "pruned": form.prune}
    )


def _chosen(rows: LearningRows) -> Array:
    """Real rows, evenly over the table, on which two forms of a model are compared."""
    return np.unique(np.linspace(0, len(rows) - 1, PROVEN_ROWS).round().astype(np.int64))


def _proven(model: FittedModel, onnx: bytes, rows: LearningRows) -> _Proof:
    chosen = _chosen(rows)
    real = take(rows.features, chosen)
    expected = model.answers(real)
    answered = OnnxModel(onnx, model.plan).answers(real)
    off = np.abs(answered - expected).max(axis=1)
    scale = np.maximum(1.0, np.abs(expected).max(axis=1))  # of a regression, relative to the value
    worst = int(np.argmax(off / scale))
    difference = float(off[worst] / scale[worst])
    if not difference <= TOLERANCE:
        row = {name: values[worst] for name, values in real.items()}
        raise ModelRefused(
            f"{model.name}: the ONNX file differs from the model by {difference:.2g} on "
            f"row {rows.ids[chosen[worst]]}: {row}",
            remedy="this estimator does not export exactly; no native categorical splits, see docs on model.py",
        )
    return _Proof(difference, len(chosen), digest_of_answers(expected), digest_of_answers(answered))


def _profile(model: FittedModel, rows: LearningRows, window: Window) -> bytes:
    """The drift reference, its thresholds learned for the windows that the project's monitor judges."""
    learned = _learned_from(model, rows)
    reference = rows.taken(learned)
    plan = model.plan
    missing: str | float = plan.label.missing
    if missing != "exclude":
        missing = float(missing)
    return learn_profile(
        reference.features,
        reference.times,
        min_rows=window.min_rows,
        window_s=None if window.length is None else int(window.length.total_seconds()),
        label=LabelRule(plan.label.column, plan.label.known_at, int(plan.label.mature_after_s), missing),
        key=plan.key,
        time=plan.time,
        time_zone=plan.time_zone,
        reference_skills=model.reference_skills,
        classes=plan.classes,
    ).to_bytes()


def _learned_from(model: FittedModel, rows: LearningRows) -> Array:
    """The rows that the model learned from: the drift reference."""
    if rows.times is None:
        return np.asarray(rows.usable())
    first, last = (
        np.datetime64(moment.removesuffix("Z"), "us") for moment in (model.learned_from, model.learned_to)
    )
    return np.asarray(rows.usable() & (rows.times >= first) & (rows.times <= last))


def _background(model: FittedModel, rows: LearningRows) -> bytes:
    learned = np.flatnonzero(_learned_from(model, rows))
    return to_json(background_of(model.answers, rows.features, learned))


def _samples(tables: Tables, features: Pointer) -> bytes:
    samples = tables.at(features.table, features.version).metadata["samples"]
    return (json.dumps(samples, indent=1) + "\n").encode()
