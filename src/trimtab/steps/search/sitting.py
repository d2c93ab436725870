"""Trials until the budget is spent or enough are tried, wherever they run; a later sitting goes on with the study."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Final

import numpy as np

from trimtab.api.values import format_duration
from trimtab.ports.clock import Clock
from trimtab.ports.studies import Asked, Candidate, Ended, Study, Tried
from trimtab.ports.trials import GivenUp, Trials
from trimtab.steps.fitting.refusals import TrainingRefused
from trimtab.steps.search.question import Question
from trimtab.steps.search.spaces import grid
from trimtab.steps.search.tracked import TrackedSearch
from trimtab.steps.search.trial import try_out

MOST_FAILURES: Final = 20
"""Trials that fail, and none that does not, until the search is given up."""
LATE_S: Final = 60.0
LATE_SHARE: Final = 0.1

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Begun:
    """A trial at work.

    Attributes:
        at_s: seconds of the sitting at which it began.
        run_id: in the tracking server; "" without one.
    """

    at_s: float
    run_id: str


@dataclass(frozen=True, slots=True)
class Sitting:
    """One process's part of a study.

    Attributes:
        trials: where they run.
        began_s: on the clock.
        before_s: seconds that earlier sittings spent.
    """

    question: Question
    study: Study
    tracked: TrackedSearch
    trials: Trials
    clock: Clock
    say: Say
    began_s: float
    before_s: float
    _at_work: dict[int, Begun] = field(default_factory=dict)

    @property
    def spent_s(self) -> float:
        """Seconds of this sitting."""
        return self.clock.monotonic_s() - self.began_s

    @property
    def left_s(self) -> float | None:
        """Seconds of the budget; None without one."""
        budget_s = self.question.budget_s
        return None if budget_s is None else max(0.0, budget_s - self.before_s - self.spent_s)

    def run(self) -> Tried:
        """Trials until an end is reached; the best of all sittings.

        Raises:
            TrainingRefused: every trial failed.
        """
        space = self.question.space
        points = grid(space) if self.question.search.sampler == "grid" else None
        self.tracked.begin(self.study)
        self.trials.run(
            partial(try_out, self.question),
            partial(self._draw, points),
            self._hear,
            self._end,
            self._late,
            self.say,
        )
        return self._best(self.study.tried)

    def _draw(self, points: Sequence[Candidate] | None) -> Asked | None:
        """The project's own model is tried first and alone: all others are compared with it."""
        tried = self.study.tried
        if self._enough(tried, points) or (self._at_work and not tried):
            return None
        asked = self.study.ask(self.question.space, points) if tried else self.study.ask_own()
        at_s, source = self.spent_s, self.question.source(asked.candidate)
        self._at_work[asked.number] = Begun(at_s, self.tracked.trial(self.study, asked.number, source))
        return asked

    def _enough(self, tried: Sequence[Tried], points: Sequence[Candidate] | None) -> bool:
        if not tried:
            return False  # the project's own model is always tried
        begun = len(tried) + len(self._at_work)
        if self.left_s == 0 or begun >= (self.question.search.trials or np.inf):
            return True
        if points is not None and begun > len(points):
            return True
        return len(tried) >= MOST_FAILURES and all(one.state == "failed" for one in tried)

    def _hear(self, asked: Asked, step: int, folds: Sequence[float], improves: bool) -> GivenUp:
        tried = self.study.tried
        own = next((one.folds for one in tried if one.candidate is None), None)
        may_stop = self.question.best(tried) is not None  # else a late trial is better than none
        # of fits that still get better the fast learners look best, which are seldom the best in the end
        worse = self.study.report(asked.number, step, beside(folds, own), self.spent_s)
        if may_stop and self.left_s == 0:
            return "out of time"
        return "hopeless" if may_stop and worse and not improves else ""

    def _late(self) -> bool:
        """Whether trials at work have outlived the budget by a tenth of it, a minute at least."""
        budget_s = self.question.budget_s
        if budget_s is None or self.question.best(self.study.tried) is None:
            return False
        return self.before_s + self.spent_s > budget_s + max(LATE_S, LATE_SHARE * budget_s)

    def _end(self, asked: Asked, ended: Ended) -> None:
        begun = self._at_work.pop(asked.number)
        seconds = self.spent_s - begun.at_s
        made = self.study.tell(
            asked.number, replace(ended, seconds=seconds, run_id=begun.run_id), self.spent_s
        )
        self.tracked.ended(self.study, made, self.question.metric)
        best = self.question.best(self.study.tried)
        self.say(progress(made, self.question.metric, best, self.question.search.trials, self.left_s))

    def _best(self, tried: Sequence[Tried]) -> Tried:
        found = self.question.best(tried)
        if found is None:
            cause, times = Counter(one.because for one in tried).most_common(1)[0]
            raise TrainingRefused(
                f"search: all {len(tried)} trials failed, {times} of them so: {cause}",
                remedy="mend the model or the rows, or narrow search.space to values that fit",
            )
        return found


def beside(folds: Sequence[float], own: Sequence[float] | None) -> float:
    """Mean difference from the project's own model, fold by fold: what a hard fold costs every trial goes out.

    Args:
        own: of each fold; None for that model itself.

    >>> round(beside([0.5, 0.7], [0.4, 0.7, 0.9]), 3), beside([0.5], None)
    (0.05, 0.0)
    """
    if own is None:
        return 0.0
    known = np.asarray(own[: len(folds)]) if len(own) >= len(folds) else np.zeros(len(folds))
    return float(np.mean(np.asarray(folds) - known))


def progress(made: Tried, metric: str, best: Tried | None, of: int | None, left_s: float | None) -> str:
    """A trial that has ended, and where the search stands, in a line.

    >>> lost = Tried(3, Candidate("logistic", {}), "pruned", None, (), 1.0, "hopeless")
    >>> progress(lost, "log_loss", Tried(0, None, "complete", 0.5, (0.5,), 1.0), None, 100.0)
    'trial 3 (logistic): given up, hopeless; best log_loss 0.50000 (trial 0); 1m40s left'
    """
    name = made.candidate.family if made.candidate else "the project's own"
    how = "failed: " if made.state == "failed" else "given up, "
    ended = f"{how}{made.because}" if made.value is None else f"{metric} {made.value:.5f}"
    parts = [f"trial {made.number}{f' of {of}' if of else ''} ({name}): {ended}"]
    if best is not None:
        parts.append(f"best {metric} {best.value:.5f} (trial {best.number})")
    if left_s is not None:
        parts.append(f"{format_duration(timedelta(seconds=round(left_s)))} left")
    return "; ".join(parts)
