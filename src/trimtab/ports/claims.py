"""Who may take effect for a key: of all runs that were created for it, the one that claimed it first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Effect:
    """What the run that holds a claim has registered.

    Attributes:
        candidate: the version got the alias.
        passed: the gates let it through.
        until: end of its data.
        labelled: rows with a label that it learned from.
    """

    version: str
    candidate: bool
    passed: bool
    because: str
    until: datetime
    labelled: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """A key's claim. Its holder never changes.

    Attributes:
        run: id of the run that holds it.
        effect: what that run registered; None before.
        since: when it was taken, as far as that is known.
    """

    key: str
    run: str
    effect: Effect | None = None
    since: datetime | None = None


class Claims(Protocol):
    """Raises SurroundingsFailed where they cannot be reached, InputRefused where they may not be written."""

    def take(self, key: str, run: str) -> Claim:
        """The key's claim; this run's, if nobody held it. Asked twice, the answer is the same."""

    def settle(self, key: str, run: str, effect: Effect) -> None:
        """Write down what the holder registered. Does nothing where another run holds the claim."""
