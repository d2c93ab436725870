"""The model in a smaller form, where the project asks for it: taken if it passes what the model itself passed.

The very same gates, limits and behaviour tests are put to it on the very same rows. Size, latency and metrics of
both are told, whatever comes of it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np

from trimtab.api.project import Project
from trimtab.features.columns import Columns, take
from trimtab.steps.fitting.fitted import FittedModel, scores
from trimtab.steps.fitting.forms import Form, NoSuchForm
from trimtab.steps.fitting.graph import exported
from trimtab.steps.held_out import Held
from trimtab.steps.judgement import Judgement, judgement
from trimtab.steps.scoring import OnnxModel

ROWS: Final = 1_000
CALLS: Final = 200


@dataclass(frozen=True, slots=True)
class Cost:
    """What a form of the model costs, and is worth.

    Attributes:
        one_us: median time of a call of one row, by ONNX Runtime on one thread of this machine.
        many_us: of 1,000 rows (or as many as there are), for each row.
    """

    size_bytes: int
    one_us: float
    many_us: float
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cheaper:
    """What became of the wish for a cheaper model.

    Attributes:
        form: what is asked for.
        taken: it is what will be exported.
        because: why, or why not.
        before, after: of the model itself and of the form; None where there is no such form.
        furthest: the most that an answer moved.
        alone: the most that an answer moves between being asked alone and among others.
    """

    form: Form
    taken: bool
    because: str
    before: Cost | None = None
    after: Cost | None = None
    furthest: float = 0.0
    alone: float = 0.0


def consider(
    project: Project, model: FittedModel, held: Held, itself: Judgement, training: Columns
) -> Cheaper | None:
    """None where the project does not ask.

    Args:
        itself: what was found of the model.
        training: features of its training rows.
    """
    form = Form.asked(project.export)
    if not form:
        return None
    if itself.refused:
        return Cheaper(form, False, "the model itself is refused")
    if not (project.evaluation.gates or itself.limits or itself.behaviour):
        return Cheaper(
            form, False, "no gate is declared that would notice a loss; add one to evaluation.gates"
        )
    plan = model.plan
    whole = exported(model.preprocessing, model.estimator, plan.outputs, plan.task, model.name)
    try:
        small = form.of(whole, plan.outputs, training)
    except NoSuchForm as none:
        return Cheaper(form, False, f"{model.name} stays as it is: {none.message}")
    ran = {name: OnnxModel(file, plan) for name, file in (("whole", whole), ("small", small))}
    found = judgement(project, held, lambda features: scores(ran["small"].answers(features), plan))
    before = _cost(len(whole), ran["whole"], held, itself.metrics)
    after = _cost(len(small), ran["small"], held, found.metrics)
    furthest = float(np.abs(found.answers - itself.answers).max())
    refused = found.refused
    # Times are told and decide nothing: one run must choose as the next one does.
    if refused:
        because = f"it does not pass: {'; '.join(refused)}"
    elif after.size_bytes >= before.size_bytes:
        because = "it is no smaller"
    else:
        because = "it passes what the model itself passed, on the same rows"
        slower = min(after.one_us / before.one_us, after.many_us / before.many_us) > 1
        because += "; smaller, but slower here, as small networks are" if slower else ""
    taken = not refused and after.size_bytes < before.size_bytes
    return Cheaper(form, taken, because, before, after, furthest, _alone(ran["small"], held))


def _cost(size: int, model: OnnxModel, held: Held, metrics: Mapping[str, float]) -> Cost:
    many = take(held.rows.features, slice(0, ROWS))
    one, rows = take(many, slice(0, 1)), len(next(iter(many.values())))
    return Cost(
        size,
        _median_us(lambda: model.answers(one), CALLS),
        _median_us(lambda: model.answers(many), 10) / rows,
        metrics,
    )


def _median_us(call: Callable[[], object], times: int) -> float:
    call()
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        spent.append(time.perf_counter() - started)
    return median(spent) * 1e6


def _alone(model: OnnxModel, held: Held) -> float:
    few = take(held.rows.features, slice(0, 100))
    rows = len(next(iter(few.values())))
    alone = np.concatenate([model.answers(take(few, slice(i, i + 1))) for i in range(rows)])
    return float(np.abs(alone - model.answers(few)).max())
