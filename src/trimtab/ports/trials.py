"""Trials: where those of a search run, and how many at a time."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, TypeAlias

from trimtab.ports.studies import Asked, Candidate, Ended

GivenUp: TypeAlias = Literal["", "hopeless", "out of time"]
Tell: TypeAlias = Callable[[int, Sequence[float], bool], GivenUp]
"""(step, metric of each fold so far, whether the last one is of a fit that still gets better) to whether to give up."""
Trial: TypeAlias = Callable[[Candidate | None, Tell], Ended]
"""A candidate, tried out; None for the project's own model."""


class Trials(Protocol):
    def run(
        self,
        trial: Trial,
        draw: Callable[[], Asked | None],
        hear: Callable[[Asked, int, Sequence[float], bool], GivenUp],
        end: Callable[[Asked, Ended], None],
        late: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        """Until nothing is drawn and nothing at work. When this returns or raises, no process of it is left.

        Args:
            trial: cloudpickle takes it. What it raises ends all.
            draw: the next; None for none before one at work has ended.
            hear: is told of what a trial tells, and answers it.
            end: is told of what a trial came to.
            late: whether those at work have had their time and more. Where trials run in other processes, theirs are
                then ended, and they come to nothing.
            say: is told, in a sentence, what befalls a process; and each line that one writes to its standard output or
                error.

        Raises:
            SurroundingsFailed: so many at a time cannot be had.
            ExtraMissing: what runs them is not installed.
        """
