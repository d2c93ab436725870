"""Trials one after another, in this process."""

from collections.abc import Callable, Sequence
from functools import partial

from trimtab.ports.studies import Asked, Ended
from trimtab.ports.trials import GivenUp, Trial


class OneByOne:
    """`trimtab.ports.trials.Trials`."""

    def run(
        self,
        trial: Trial,
        draw: Callable[[], Asked | None],
        hear: Callable[[Asked, int, Sequence[float], bool], GivenUp],
        end: Callable[[Asked, Ended], None],
        late: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        while (asked := draw()) is not None:
            end(asked, trial(asked.candidate, partial(hear, asked)))
