"""Errors that a person can act on: what is wrong, where, and what to do next."""

from enum import IntEnum
from typing import Any, Self


class ExitStatus(IntEnum):
    """What the `trimtab` command's exit status says; docs/reference/exit-status.md is made of it.

    Attributes:
        means: in a few words.
        such_as: an example or two.
    """

    means: str
    such_as: str

    def __new__(cls, value: int, means: str = "", such_as: str = "") -> Self:
        made = int.__new__(cls, value)
        made._value_, made.means, made.such_as = value, means, such_as
        return made

    DONE = 0, "done; stable; passed", "`trimtab check` found nothing"
    NO = (
        1,
        "the answer is no",
        "the gates refused the model; two tables drifted apart; something that should run is not ready",
    )
    INPUT = (
        2,
        "your input or usage",
        "a typo in `trimtab.yaml`, a column that changed its type, an unknown option",
    )
    INCONCLUSIVE = 3, "inconclusive", "too few rows to say whether a table drifted"
    SURROUNDINGS = (
        4,
        "the surroundings failed",
        "a port is taken, the disk is full, a server does not answer; the same call may succeed later",
    )
    BUG = 70, "our bug", "the traceback is in the file that the message names"
    INTERRUPTED = 130, "interrupted", "Ctrl-C"


class TrimtabError(Exception):
    """Something that a person must know of; never shown with a traceback.

    Args:
        message: one sentence that names the thing at fault and where it stands.
        remedy: what to do next, as an imperative; None where there is nothing to do.
    """

    status: ExitStatus = ExitStatus.SURROUNDINGS

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process, whatever its class takes to be made."""
        return _again, (type(self), self.message, self.remedy, self.__dict__)

    @property
    def sentence(self) -> str:
        """What is wrong and what helps, on one line: for a condition.

        >>> TrimtabError("the disk is full", remedy="free some").sentence
        'the disk is full; free some'
        """
        return f"{self.message}; {self.remedy}" if self.remedy else self.message

    def __str__(self) -> str:
        return f"{self.message}\n  remedy: {self.remedy}" if self.remedy else self.message


def _again(kind: type[TrimtabError], message: str, remedy: str | None, rest: dict[str, Any]) -> TrimtabError:
    made = kind.__new__(kind)
    TrimtabError.__init__(made, message, remedy=remedy)
    made.__dict__.update(rest)
    return made


class InputRefused(TrimtabError):
    """What the user wrote or passed cannot be taken."""

    status = ExitStatus.INPUT


class DataRefused(InputRefused):
    """Data does not have the shape, types or values that were declared."""


class AnswerIsNo(TrimtabError):
    """The question was answered, with no: drifted, refused, a check failed."""

    status = ExitStatus.NO


class Inconclusive(TrimtabError):
    """Too little evidence for either answer."""

    status = ExitStatus.INCONCLUSIVE


class SurroundingsFailed(TrimtabError):
    """A server, a disk or the network failed; the same call may succeed later."""

    status = ExitStatus.SURROUNDINGS


class ExtraMissing(InputRefused):
    """An optional part is not installed."""

    def __init__(self, extra: str, wanted_for: str) -> None:
        super().__init__(
            f"{wanted_for} needs the extra '{extra}', which is not installed",
            remedy=f"pip install 'trimtab[{extra}]'",
        )
        self.extra = extra
