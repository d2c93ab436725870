"""The search as a part of train: on the rows before the test part, and before the fit that it chooses a model for."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trimtab.api.project import Project
from trimtab.api.search import Search
from trimtab.ports.tables import Pointer
from trimtab.ports.tracking import RunRecord, Tracking
from trimtab.steps.fitting.contract import ModelSource
from trimtab.steps.fitting.refusals import TrainingRefused
from trimtab.steps.learning_rows import LearningRows
from trimtab.steps.search.page import html
from trimtab.steps.search.question import Found
from trimtab.steps.search.search import Means, search_model
from trimtab.steps.search.tracked import TrackedSearch
from trimtab.steps.split import Parts


def search_before_test(
    project: Project,
    search: Search,
    own: ModelSource,
    rows: LearningRows,
    parts: Parts,
    metric: str,
    features: Pointer,
    means: Means,
    tracking: Tracking | None,
    page: Path,
    lineage: Mapping[str, str],
) -> Found:
    """Look for a model; the study goes to the tracking server as it goes, the page at the end.

    Args:
        parts: of `rows`; the test part and the gap before it are not looked at.
        metric: where search.metric names none.
        page: where the HTML page goes.

    Raises:
        InputRefused: the search does not fit the project.
        TrainingRefused: too few rows, or every trial failed.
    """
    tags = {
        "trimtab.project": project.name,
        "trimtab.features.version": str(features.version),
        "trimtab.features.digest": features.digest,
        **lineage,
    }
    tracked = TrackedSearch(tracking, project.name, f"search-{features.version}", tags)
    try:
        found = search_model(
            project,
            search,
            own,
            rows.taken(before_test(rows, parts)),
            search.metric or metric,
            means,
            tracked,
        )
    except TrainingRefused:
        means.studies.clear()  # who mends what made every trial fail begins anew
        tracked.end(RunRecord(), failed=True)
        raise
    except BaseException:
        tracked.end(RunRecord(), failed=True)
        raise
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(html(project.name, found), encoding="utf-8")
    tracked.end(record(found, page))
    return found


def before_test(rows: LearningRows, parts: Parts) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Mask of the rows whose labels were mature before the test part began, the gap after training among them."""
    known = parts.training | parts.validation
    if rows.times is not None:
        known = rows.times <= rows.times[known].max()
    return np.asarray(known)


def record(found: Found, page: Path) -> RunRecord:
    """What the tracking server is told of a search that has ended."""
    metrics = {"search.best": found.best.value or 0.0, "search.spent_s": found.spent_s}
    metrics |= {f"search.{state}": float(found.count(state)) for state in ("complete", "pruned", "failed")}
    if found.own.value is not None:
        metrics["search.own"] = found.own.value
    if found.outer:
        metrics |= {
            "search.outer.mean": float(np.mean(found.outer)),
            "search.outer.sd": float(np.std(found.outer)),
        }
    metrics |= {f"search.importance.{name}": share for name, share in found.importances.items()}
    params = {"model": found.source.name, "metric": found.metric, "trial": str(found.best.number)}
    return RunRecord(
        params=params | {name: str(value) for name, value in found.source.params.items()},
        metrics=metrics,
        history={"search.values": [one.value for one in found.tried if one.value is not None]},
        artefacts=(page,),
    )
