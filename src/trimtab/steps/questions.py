"""The questions that `evaluation` puts to a model, and whether they fit its task."""

from trimtab.api.errors import InputRefused
from trimtab.api.evaluation import Gate as GateSpec
from trimtab.api.project import Project
from trimtab.quality.gates import Gate
from trimtab.quality.metrics import METRICS


def check_questions(project: Project, names: tuple[str, ...], task: str, timed: bool) -> None:
    """Every metric and gap fits the task, and what it needs is there.

    Raises:
        InputRefused: one does not; the message says which would, or what is missing.
    """
    for name in [*names, *(gate.metric for gate in project.evaluation.gates)]:
        if name not in METRICS or task not in METRICS[name].tasks:
            fit = [known for known, metric in METRICS.items() if task in metric.tasks]
            raise InputRefused(
                f"trimtab.yaml: evaluation names the metric '{name}', which a {task} task does not have",
                remedy=f"one of {', '.join(fit)}",
            )
        if METRICS[name].needs == "group" and project.evaluation.group is None:
            raise InputRefused(
                f"trimtab.yaml: the metric '{name}' ranks the rows of one group, and none is named",
                remedy="say evaluation.group: the column whose rows are ranked among themselves, such as query_id",
            )
        if METRICS[name].needs == "scale" and not timed:
            raise InputRefused(
                f"trimtab.yaml: the metric '{name}' is measured by the naive forecast, the row before, and "
                "examples have no time",
                remedy="name the time column under examples.time, or take mean_absolute_error",
            )
    if project.evaluation.fairness is not None and task != "binary":
        raise InputRefused(
            f"trimtab.yaml: evaluation.fairness compares calls of a binary label, and this is a {task} task",
            remedy="list its attributes under evaluation.slices to see the metrics of each group",
        )


def against_stable(project: Project) -> bool:
    """Whether a gate needs the revision in service."""
    return any(gate_of(spec).against_stable for spec in project.evaluation.gates)


def gate_of(spec: GateSpec) -> Gate:
    """A gate of the project file as `trimtab.quality.gates` takes it."""
    if spec.at_least is not None:
        return Gate(spec.metric, "at_least", float(spec.at_least))
    if spec.at_most is not None:
        return Gate(spec.metric, "at_most", float(spec.at_most))
    worse = spec.no_worse_than_stable_by
    bound = worse or spec.better_than_stable_by
    assert bound is not None
    side = "no_worse_than_stable_by" if worse is not None else "better_than_stable_by"
    if bound.percent is not None:
        return Gate(spec.metric, side, float(bound.percent) / 100, relative=True)  # type: ignore[arg-type]  # one of two literals
    return Gate(spec.metric, side, float(bound.absolute or 0))  # type: ignore[arg-type]  # one of two literals
