"""What Ray Tune asks and tells while it runs trials, answered by the study.

Tune starts the processes, gives them trials and hears of both. What is drawn and who goes on is the study's to say, in
whose file the rungs of ASHA outlive a killed search: a scheduler of Tune's own keeps them in memory.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import ray
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from trimtab.adapters.ray.looking import Every
from trimtab.adapters.ray.trainable import CANDIDATE, NEWS
from trimtab.api.errors import SurroundingsFailed, TrimtabError
from trimtab.ports.studies import Asked, Ended
from trimtab.ports.trials import GivenUp

DEATHS: Final = 2
"""Of a trial's process, after which it has failed."""
FALSE_STARTS: Final = 3
"""In a row, after which the search ends."""


class Over(BaseException):
    """The search ends at once, by its cause where it has one.

    An Exception Tune takes for a failure of the trial that it was told of, or waits until processes have ended by
    themselves. They end with Ray.
    """


@contextmanager
def ends_all() -> Iterator[None]:
    """What is raised within ends the search."""
    try:
        yield
    except Exception as error:
        raise Over from error


@dataclass(frozen=True, slots=True)
class Try:
    """A trial at work.

    Attributes:
        process: a handle of Ray's; None until it has begun.
        deaths: of processes that had it before.
    """

    asked: Asked
    process: Any = None
    deaths: int = 0


class StudySearcher(Searcher):
    """Draws trials, and tells what they came to.

    Args:
        wanted_for: what asked for so many processes.
        why: processes have died, as far as anybody can say.
    """

    def __init__(
        self,
        wanted_for: str,
        draw: Callable[[], Asked | None],
        end: Callable[[Asked, Ended], None],
        say: Callable[[str], None],
        why: Callable[[], str],
    ) -> None:
        super().__init__()
        self._wanted_for = wanted_for
        self._draw, self._end, self._say, self._why = draw, end, say, why
        self.at_work: dict[str, Try] = {}
        self._again: list[Try] = []
        self._none_left = False
        self._false_starts = 0

    def suggest(self, trial_id: str) -> Any:
        with ends_all():
            one = self._next()
        if one is None:
            if not self.at_work:
                raise Over  # where it is told that the search has finished, Tune waits for idle processes to end
            return None
        self.at_work[trial_id] = one
        return {CANDIDATE: one.asked.candidate}

    def _next(self) -> Try | None:
        if self._again:
            return self._again.pop()
        asked = None if self._none_left else self._draw()
        self._none_left = asked is None
        return None if asked is None else Try(asked)

    def began(self, trial_id: str, process: Any) -> None:
        """A process has the trial."""
        self.at_work[trial_id] = replace(self.at_work[trial_id], process=process)
        self._false_starts = 0

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        if result is None:  # its process died, of which `died` was told
            return
        news = result[NEWS]
        with ends_all():
            if isinstance(news, Exception):
                raise news
            self._ended(trial_id, news)

    def died(self, trial_id: str, because: str) -> None:
        """A trial's process is gone: another takes it, once. One that never began took no trial with it.

        Args:
            because: in Ray's words.
        """
        one = self.at_work[trial_id]
        if one.process is None:
            self._false_starts += 1
            if self._false_starts == FALSE_STARTS:
                raise SurroundingsFailed(
                    f"{self._wanted_for}: {FALSE_STARTS} processes in a row died as they took up the search: {because}",
                    remedy="each holds the rows: take fewer at once, or give more memory",
                )
            self._again.append(self.at_work.pop(trial_id))
            return
        with suppress(Exception):  # one that is only out of reach must not go on
            ray.kill(one.process)
        if one.deaths + 1 == DEATHS:
            self._ended(
                trial_id, Ended("failed", 0.0, because=f"its process died {DEATHS} times: {self._why()}")
            )
            return
        self._say(f"trial {one.asked.number}: its process died, so it is tried anew")
        self._again.append(Try(self.at_work.pop(trial_id).asked, deaths=one.deaths + 1))

    def cut(self) -> None:
        """End trials and processes, and the search: who has not told anything for so long may never do so."""
        for trial_id, one in [*self.at_work.items()]:
            if one.process is not None:
                ray.kill(one.process)
            self._ended(trial_id, Ended("pruned", 0.0, because="out of time"))
        raise Over

    def _ended(self, trial_id: str, ended: Ended) -> None:
        self._end(self.at_work.pop(trial_id).asked, ended)
        self._none_left = False

    def save_to_dir(self, *_: Any, **__: Any) -> None:
        """The study has it all."""


class StudyScheduler(FIFOScheduler):
    """Answers what trials tell. Each comes to its own end, given up or not, so that it says what it came to.

    Args:
        looks: made now and then.
        begin_s: the longest that trials may wait while none has a process.
        no_room: what is said then.
    """

    def __init__(
        self,
        searcher: StudySearcher,
        hear: Callable[[Asked, int, Sequence[float], bool], GivenUp],
        looks: Sequence[Every],
        begin_s: float,
        no_room: Callable[[], TrimtabError],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's has no types
        self._searcher, self._hear, self._looks = searcher, hear, looks
        self._begin_s, self._no_room, self._at_work_s = begin_s, no_room, time.monotonic()

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """The trial that takes a process which has none; Tune asks at each of its steps.

        It is the last drawn: those before it have processes of their own that only begin, and would be given up.
        """
        waiting = None
        for trial in tune_controller.get_trials():
            if trial.status == trial.PENDING:
                waiting = trial
            if trial.status == trial.RUNNING:
                self._searcher.began(trial.trial_id, trial.temporary_state.ray_actor)
                self._at_work_s = time.monotonic()
        with ends_all():
            for look in self._looks:
                look.perhaps()
            if time.monotonic() - self._at_work_s > self._begin_s:
                raise self._no_room()
        return waiting

    def on_trial_result(self, _: Any, trial: Any, result: dict[str, Any]) -> str:
        one, told = self._searcher.at_work[trial.trial_id], result[NEWS]
        with ends_all():
            answer = self._hear(one.asked, told.step, told.folds, told.improves)
        if answer:
            trial.temporary_state.ray_actor.give_up.remote(answer)  # comes there before what Tune asks next
        return FIFOScheduler.CONTINUE

    def on_trial_error(self, _: Any, trial: Any) -> None:
        with ends_all():
            _, said, *_ = Path(trial.error_file).read_text(encoding="utf-8").splitlines()
            self._searcher.died(trial.trial_id, said)
