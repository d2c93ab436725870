"""Losses of mature cohorts by block: of one revision beside climatology, of two beside each other."""

import math

import numpy as np
from numpy.typing import NDArray

from trimtab.collector.cohorts import Floats, Maturity, Question, cohort, forecasts
from trimtab.collector.examples import Examples
from trimtab.collector.predictions import NONE, Predictions
from trimtab.ports.evidence import Agreement, PairedBlock, ScoredBlock
from trimtab.quality.row_loss import CLIP, log_losses


def scored(
    predictions: Predictions, examples: Examples, rule: Maturity, asked: Question
) -> list[ScoredBlock]:
    """Closed, wholly mature blocks of one revision, in order."""
    rows = cohort(predictions, examples, rule, asked)
    value = predictions.value[rows.place]
    has = ~np.isnan(rows.label)
    base = forecasts(examples, rule, asked.cut, rows.example)
    skilled = has & ~np.isnan(base)
    loss = losses(rows.label, value)
    brier = np.where(np.isfinite(value), (value - rows.label) ** 2, 1.0)
    skill = loss - log_losses(rows.label, np.where(skilled, base, 0.5))
    columns = zip(
        rows.starts,
        rows.counts(has),
        rows.counts(~has),
        rows.sums(loss, has),
        rows.sums(brier, has),
        rows.counts(skilled),
        rows.sums(skill, skilled),
        rows.counts(has & (rows.label > 0.5)),
        strict=True,
    )
    return [ScoredBlock(*row) for row in columns]


def paired(
    stable: Predictions, candidate: Predictions, examples: Examples, rule: Maturity, asked: Question
) -> list[PairedBlock]:
    """Closed, wholly mature blocks of the examples that both predicted, at stable's event time, in order."""
    rows = cohort(stable, examples, rule, asked, lambda example: candidate.places(example) != NONE)
    ours = stable.value[rows.place]
    theirs = candidate.value[candidate.places(rows.example)]
    has = ~np.isnan(rows.label)
    zeros, ones = np.zeros(len(ours)), np.ones(len(ours))
    columns = zip(
        rows.starts,
        rows.counts(has),
        rows.counts(~has),
        rows.sums(losses(rows.label, theirs) - losses(rows.label, ours), has),
        rows.sums(losses(zeros, theirs) - losses(zeros, ours), ~has),
        rows.sums(losses(ones, theirs) - losses(ones, ours), ~has),
        strict=True,
    )
    return [PairedBlock(*row) for row in columns]


def agreement(stable: Predictions, candidate: Predictions, start_us: int, end_us: int) -> Agreement:
    """How far two revisions differ on the examples that both predicted; labels are not needed."""
    times = stable.time_us
    partner = candidate.places(stable.example)
    inside = (times >= start_us) & (times < end_us) & (partner != NONE)
    ours, theirs = stable.value[inside], candidate.value[partner[inside]]
    finite = np.isfinite(theirs) & np.isfinite(ours)
    return Agreement(
        pairs=len(ours),
        disagree=int(((ours >= 0.5) != (theirs >= 0.5))[finite].sum()),
        difference=math.fsum((theirs - ours)[finite].tolist()),
        not_finite=int((~np.isfinite(theirs)).sum()),
        distinct=min(2, len(np.unique(theirs[np.isfinite(theirs)]))),
    )


def losses(label: Floats, value: Floats) -> NDArray[np.float64]:
    """Log loss a row; a prediction that is not finite counts as certain and wrong."""
    finite = np.isfinite(value)
    return np.where(finite, log_losses(label, np.where(finite, value, 0.5)), -math.log(CLIP[0]))
