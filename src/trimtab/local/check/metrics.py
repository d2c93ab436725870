"""Metrics that trimtab.yaml names: known ones, and of the label's task."""

import difflib
from collections.abc import Iterator

from trimtab.adapters.projects.load import FILE, Loaded
from trimtab.api.document import Path, Problem, dotted
from trimtab.quality.metrics import METRICS

TASKS_OF_LABEL = {
    "boolean": {"binary"},
    "string": {"binary", "multiclass"},
    "integer": {"binary", "multiclass", "regression"},
    "number": {"binary", "regression"},
}
"""Tasks that a label column of a type can make."""


def metric_problems(loaded: Loaded, label: str | None) -> Iterator[Problem]:
    """Metrics of `evaluation` and `search` that are unknown, or that no task of this label has.

    Args:
        label: type of the label's column; None when it is not known.
    """
    evaluation, search = loaded.project.evaluation, loaded.project.search
    named: list[tuple[Path, str]] = [
        *((("evaluation", "metrics", i), name) for i, name in enumerate(evaluation.metrics)),
        *((("evaluation", "gates", i, "metric"), gate.metric) for i, gate in enumerate(evaluation.gates)),
        *([(("search", "metric"), search.metric)] if search and search.metric else []),
    ]
    possible = TASKS_OF_LABEL.get(label or "", {"binary", "multiclass", "regression"})
    for path, name in named:
        line = loaded.document.line(path)
        if name not in METRICS:
            near = difflib.get_close_matches(name, METRICS, n=1)
            near = near or [known for known in METRICS if name in known][:1]
            yield Problem(FILE, line, dotted(path), f"'{name}' is no metric",
                          f"did you mean `{near[0]}`?" if near else f"known: {', '.join(METRICS)}")  # fmt: skip
        elif METRICS[name].needs == "group" and evaluation.group is None:
            yield Problem(FILE, line, dotted(path), f"'{name}' ranks the rows of one group, and none is named",
                          "say evaluation.group: the column whose rows are ranked among themselves")  # fmt: skip
        elif METRICS[name].needs == "scale" and loaded.project.examples.time is None:
            yield Problem(FILE, line, dotted(path), f"'{name}' is measured by the naive forecast, and examples have no "
                          "time", "name the time column under examples.time, or take mean_absolute_error")  # fmt: skip
        elif not possible & METRICS[name].tasks:
            fitting = ", ".join(known for known, metric in METRICS.items() if possible & metric.tasks)
            yield Problem(FILE, line, dotted(path),
                          f"'{name}' is a metric of {' and '.join(sorted(METRICS[name].tasks))}, and the label "
                          f"'{loaded.project.examples.label.column}' makes none", f"one of {fitting}")  # fmt: skip
    if evaluation.fairness is not None and "binary" not in possible:
        at: Path = ("evaluation", "fairness")
        yield Problem(FILE, loaded.document.line(at), dotted(at), "gaps compare calls of a binary label, and the label "
                      f"'{loaded.project.examples.label.column}' makes none",
                      "list the attributes under evaluation.slices instead")  # fmt: skip
