"""`TrialProcess` as Ray Tune has it: a class whose every step is the next news of its trial."""

import traceback
from typing import Any, Final

from ray.tune import Trainable

from trimtab.adapters.ray.trial_process import News, TrialProcess
from trimtab.api.errors import TrimtabError
from trimtab.ports.studies import Ended
from trimtab.ports.trials import GivenUp

NEWS: Final = "news"
"""In a result: what a trial tells, what it came to, or what it raised."""
CANDIDATE, ROOM, GPU, WANTED_FOR = "candidate", "room", "gpu", "wanted_for"


class TrialTrainable(Trainable):
    """One trial after another; what is held for all of them is taken up once.

    What it raises is told, not raised: Tune would try it anew.
    """

    def setup(self, config: dict[str, Any]) -> None:
        self._process = TrialProcess(config[ROOM], config[GPU])
        self._process.write_to_room()
        self._error: Exception | None = None
        try:
            self._process.ready(config[WANTED_FOR])
        except Exception as error:  # noqa: BLE001  the first step tells it
            self._error = error
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._candidate, self._begun = new_config[CANDIDATE], False
        self._answer: GivenUp = ""
        return True

    def give_up(self, answer: GivenUp) -> None:
        """The answer to what was told last, where it is not to go on."""
        self._answer = answer

    def step(self) -> dict[str, Any]:
        news: News | Exception
        try:
            news = self._next()
        except TrimtabError as error:
            news = error
        except Exception:  # noqa: BLE001  it need not be what another process can read
            news = RuntimeError(traceback.format_exc())
        return {NEWS: news, "done": isinstance(news, Ended | Exception)}

    def _next(self) -> News:
        if self._error is not None:
            raise self._error
        if self._begun:
            answer, self._answer = self._answer, ""
            return self._process.go_on(answer)
        self._begun = True
        return self._process.begin(self._candidate)

    def _setup_logdir(self) -> None:
        """No folder: nothing is written there."""
