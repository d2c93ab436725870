"""What tasks hand to each other: pointers to tables, what validation found, and a model's provenance, as JSON files."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.api.provenance import PROVENANCE, Provenance
from trimtab.ports.tables import Pointer
from trimtab.ports.tracking import RunRecord

if TYPE_CHECKING:
    from trimtab.ports.tracking import Tracking
    from trimtab.steps.curves import Curves
    from trimtab.steps.validate import Validated


def write_pointers(pointers: Mapping[str, Pointer], artifact: Any) -> str:
    """Write pointers where kfp wants the artefact; returns the version of them all."""
    body = {name: pointer.to_json() for name, pointer in sorted(pointers.items())}
    Path(artifact.path).write_text(json.dumps(body, indent=1))
    version = digest_of(
        f"{name}@{pointer.version}:{pointer.digest}" for name, pointer in sorted(pointers.items())
    )
    artifact.metadata.update({"version": version, "rows": {name: p.rows for name, p in pointers.items()}})
    return version


def read_pointers(artifact: Any) -> dict[str, Pointer]:
    body = json.loads(Path(artifact.path).read_text())
    return {name: Pointer.from_json(pointer) for name, pointer in body.items()}


def write_outcome(outcome: "Validated", artifact: Any) -> None:
    Path(artifact.path).write_text(json.dumps(outcome.to_json(), indent=1), encoding="utf-8")


def read_outcome(artifact: Any) -> "Validated":
    from trimtab.steps.validate import Validated

    return Validated.from_json(json.loads(Path(artifact.path).read_text(encoding="utf-8")))


def keep_provenance(provenance: Provenance, folder: Path, tracking: "Tracking | None" = None) -> None:
    """Write it beside what it tells of, and to its run in the tracking server."""
    path = folder / PROVENANCE
    path.write_text(provenance.to_json(), encoding="utf-8")
    if tracking is not None and provenance.run:
        tracking.add(provenance.run, RunRecord(tags=provenance.tags(), artefacts=(path,)))


def read_provenance(folder: Path) -> Provenance:
    return Provenance.from_json((folder / PROVENANCE).read_bytes())


def draw(curves: "Curves | None", artifact: Any) -> None:
    """The curves into a ClassificationMetrics; nothing where there are none."""
    if curves is None:
        return
    if curves.threshold:
        artifact.log_roc_curve(
            list(curves.false_positive_rate), list(curves.true_positive_rate), list(curves.threshold)
        )
    artifact.log_confusion_matrix(list(curves.classes), [list(row) for row in curves.confusion])


def digest_of(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
