"""`trimtab.ports.trials.Trials` in actors of Ray: several at once, on this machine or a cluster.

They are plain actors and not Ray Tune's. Tune would keep who goes on (the rungs of its ASHA scheduler) in the memory of
its controller, where a killed search loses them; the study has them in its file, with all else that has been tried, and
decides alike where trials run one by one. And Tune takes what fails in its searcher or scheduler, such as a full disk
below the study, for a failure of the trial that it was told of.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from trimtab.adapters.files.scratch import scratch
from trimtab.adapters.ray.looking import LOOK_AFTER_S, Every, nothing_lost
from trimtab.adapters.ray.memory_kills import in_words, noted
from trimtab.adapters.ray.output import Output
from trimtab.adapters.ray.resources import no_room, on_gpus
from trimtab.adapters.ray.room import TASK, Room
from trimtab.adapters.ray.session import ADDRESS, ray_session
from trimtab.adapters.ray.trial_process import Told, TrialProcess
from trimtab.api.errors import SurroundingsFailed, TrimtabError
from trimtab.ports.studies import Asked, Ended
from trimtab.ports.trials import GivenUp, Trial

DEATHS: Final = 2
"""Of a trial's process, after which it has failed."""
FALSE_STARTS: Final = 3
"""In a row, after which the search ends."""
OFTEN: Final = "one that is killed is often out of memory"


@dataclass(frozen=True, slots=True)
class RayTrials:
    """Ray is imported and started when trials run, and ends with them.

    Attributes:
        folder: where the search lies while it runs; every process sees it.
        count: trials at a time.
        cpus: of each.
        device: auto takes GPUs if there is one for each.
        begin_s: until all processes must have begun.
        look: is called now and then; what it raises ends the search.
    """

    folder: Path
    count: int
    cpus: int
    device: Literal["auto", "cpu", "cuda"]
    begin_s: float = 300.0
    look: Callable[[], None] = nothing_lost

    def run(
        self,
        trial: Trial,
        draw: Callable[[], Asked | None],
        hear: Callable[[Asked, int, Sequence[float], bool], GivenUp],
        end: Callable[[Asked, Ended], None],
        late: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        asked = f"search.atOnce: {self.count}"
        with scratch(self.folder.absolute()) as folder, ray_session(asked) as ray:
            Room(folder).put(TASK, trial)
            here = ADDRESS not in os.environ
            gpus = on_gpus(ray.cluster_resources(), asked, self.count, self.cpus, self.device, here=here)
            kind = ray.remote(num_cpus=self.cpus, num_gpus=int(gpus))(TrialProcess)
            at_work = _AtWork(
                ray,
                asked,
                lambda: kind.remote(str(folder), gpus),
                hear,
                end,
                late,
                say,
                Output(folder),
                Every(LOOK_AFTER_S, self.look),
                lambda: in_words(kills) if (kills := noted(folder)) else OFTEN,
            )
            for _ in range(self.count):
                at_work.start()
            begun, _ = ray.wait([*at_work.awaited], num_returns=self.count, timeout=self.begin_s)
            if len(begun) < self.count:
                raise no_room(ray, asked, self.cpus, gpus, self.begin_s)
            while at_work.give(draw):
                if not at_work.take(self.begin_s):
                    raise no_room(ray, asked, self.cpus, gpus, self.begin_s)


@dataclass(frozen=True, slots=True)
class _Try:
    asked: Asked
    deaths: int = 0


@dataclass(slots=True)
class _AtWork:
    """The processes, and what each of them does.

    Attributes:
        made: gives a new process.
        awaited: its process by what is awaited of it, and the trial at work; None for one that only begins.
        idle: processes without a trial.
        again: trials whose process died.
        started: processes so far.
        why: processes have died, as far as anybody can say.
        false_starts: processes in a row that died before they had a trial.
    """

    ray: Any
    wanted_for: str
    made: Callable[[], Any]
    hear: Callable[[Asked, int, Sequence[float], bool], GivenUp]
    end: Callable[[Asked, Ended], None]
    late: Callable[[], bool]
    say: Callable[[str], None]
    output: Output
    look: Every
    why: Callable[[], str]
    awaited: dict[Any, tuple[Any, _Try | None]] = field(default_factory=dict)
    idle: list[Any] = field(default_factory=list)
    again: list[_Try] = field(default_factory=list)
    started: int = 0
    false_starts: int = 0

    def start(self) -> None:
        self.started += 1
        process = self.made()
        process.write_to_room.remote(f"process {self.started}")
        self.awaited[process.ready.remote(self.wanted_for)] = process, None

    def give(self, draw: Callable[[], Asked | None]) -> bool:
        """Trials to who has none; answers whether there is anything to wait for."""
        while self.idle and (one := self._next(draw)) is not None:
            process = self.idle.pop()
            self.awaited[process.begin.remote(one.asked.candidate)] = process, one
        return self._trials or (not self.idle and bool(self.awaited))

    def take(self, begin_s: float) -> bool:
        """The next news; answers False if no process begins within so long, and none is at work."""
        until = time.monotonic() + begin_s
        while True:
            self.look.perhaps()
            found, _ = self.ray.wait([*self.awaited], timeout=LOOK_AFTER_S)
            for line in self.output.new():
                self.say(line)
            if found:
                break
            if self._trials and self.late():
                self._cut()
                return True
            if not self._trials and time.monotonic() > until:
                return False
        for one in found:
            self._news(one)
        return True

    def _cut(self) -> None:
        """End the trials at work, with their processes: who has not told anything for so long may never do so."""
        for awaited, (process, one) in [*self.awaited.items()]:
            if one is not None:
                del self.awaited[awaited]
                self.ray.kill(process)
                self.end(one.asked, Ended("pruned", 0.0, because="out of time"))

    @property
    def _trials(self) -> bool:
        return any(one is not None for _, one in self.awaited.values())

    def _next(self, draw: Callable[[], Asked | None]) -> _Try | None:
        if self.again:
            return self.again.pop()
        asked = draw()
        return None if asked is None else _Try(asked)

    def _news(self, awaited: Any) -> None:
        from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

        process, one = self.awaited.pop(awaited)
        try:
            news = self.ray.get(awaited)
        except RayTaskError as error:
            cause = error.cause
            raise cause if isinstance(cause, TrimtabError) else RuntimeError(str(error)) from error
        except (RayActorError, OutOfMemoryError) as error:
            with suppress(Exception):  # one that is only out of reach must not go on
                self.ray.kill(process)
            self._died(one, str(error))
            return
        self.false_starts = 0
        if one is not None and isinstance(news, Told):
            answer = self.hear(one.asked, news.step, news.folds, news.improves)
            self.awaited[process.go_on.remote(answer)] = process, one
            return
        self.idle.append(process)
        if one is not None:
            self.end(one.asked, news)

    def _died(self, one: _Try | None, because: str) -> None:
        """Another process in its place; the trial is tried once more."""
        if one is None:
            self.false_starts += 1
            if self.false_starts == FALSE_STARTS:
                raise SurroundingsFailed(
                    f"{self.wanted_for}: {FALSE_STARTS} processes in a row died as they took up the search: "
                    f"{because.strip().splitlines()[0]}",
                    remedy="each holds the rows: take fewer at once, or give more memory",
                )
        elif one.deaths + 1 < DEATHS:
            self.say(f"trial {one.asked.number}: its process died, so it is tried anew")
            self.again.append(replace(one, deaths=one.deaths + 1))
        else:
            because = f"its process died {DEATHS} times: {self.why()}"
            self.end(one.asked, Ended("failed", 0.0, because=because))
        self.start()
