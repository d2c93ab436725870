"""Trials one after another, until the budget is spent or enough are tried; a later sitting goes on with the study."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from trimtab.api.errors import InputRefused
from trimtab.api.values import format_duration
from trimtab.ports.clock import Clock
from trimtab.ports.studies import Candidate, Ended, Study, Tried
from trimtab.steps.fitting.contract import ModelSource
from trimtab.steps.fitting.refusals import TrainingRefused
from trimtab.steps.search.question import Question
from trimtab.steps.search.spaces import grid
from trimtab.steps.search.tracked import TrackedSearch
from trimtab.steps.search.trial import GivenUp, judge

MOST_FAILURES: Final = 20
"""Trials that fail, and none that does not, until the search is given up."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sitting:
    """One process's part of a study.

    Attributes:
        began_s: on the clock.
        before_s: seconds that earlier sittings spent.
    """

    question: Question
    study: Study
    tracked: TrackedSearch
    clock: Clock
    say: Say
    began_s: float
    before_s: float

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
        points = grid(self.question.space) if self.question.search.sampler == "grid" else None
        self.tracked.begin(self.study)
        while not self._enough(tried := self.study.tried, points):
            if tried:
                candidate = self.study.ask(self.question.space, points[len(tried) - 1] if points else None)
            else:
                candidate = None
                self.study.ask_own()
            self._told(self._try_out(candidate, tried))
        return self._best(tried)

    def _enough(self, tried: Sequence[Tried], points: Sequence[Candidate] | None) -> bool:
        if not tried:
            return False  # the project's own model is always tried
        if self.left_s == 0 or len(tried) >= (self.question.search.trials or np.inf):
            return True
        if points is not None and len(tried) > len(points):
            return True
        return len(tried) >= MOST_FAILURES and all(one.state == "failed" for one in tried)

    def _try_out(self, candidate: Candidate | None, tried: Sequence[Tried]) -> Tried:
        """One trial to its end, whatever that is."""
        started_s, source = self.spent_s, self.question.source(candidate)
        run_id = self.tracked.trial(self.study, len(tried), source)
        ended = self._ended(source, tried)
        seconds = self.spent_s - started_s
        made = self.study.tell(
            Ended(ended.state, seconds, ended.value, ended.folds, ended.because, run_id), self.spent_s
        )
        self.tracked.ended(self.study, made, self.question.metric)
        return made

    def _ended(self, source: ModelSource, tried: Sequence[Tried]) -> Ended:
        own = next((one.folds for one in tried if one.candidate is None), None)
        may_stop = self.question.best(tried) is not None  # else a late trial is better than none

        def tell(step: int, folds: Sequence[float], improves: bool) -> GivenUp:
            # of fits that still get better the fast learners look best, which are seldom the best in the end
            worse = self.study.report(step, beside(folds, own), self.spent_s)
            if may_stop and self.left_s == 0:
                return "out of time"
            return "hopeless" if may_stop and worse and not improves else ""

        question = self.question
        try:
            judged = judge(
                source, question.rows, question.folds, question.metric, question.project.training, tell
            )
        except InputRefused as error:
            return Ended("failed", 0.0, because=error.message)
        except (MemoryError, ArithmeticError) as error:
            return Ended("failed", 0.0, because=f"{source.name}: {type(error).__name__}: {error}")
        if judged.given_up:
            return Ended("pruned", 0.0, None, judged.folds, judged.given_up)
        return Ended("complete", 0.0, judged.value, judged.folds)

    def _told(self, made: Tried) -> None:
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
