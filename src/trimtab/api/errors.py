"""Errors that a person can act on: what is wrong, where, and what to do next.

The exit statuses are those of docs/reference/exit-status.md: 0 done · 1 the answer is no · 2 your input ·
3 inconclusive · 4 the surroundings failed · 70 our bug · 130 interrupted.
"""

from enum import IntEnum
from typing import Any


class ExitStatus(IntEnum):
    """What the `trimtab` command's exit status says."""

    DONE = 0
    NO = 1
    INPUT = 2
    INCONCLUSIVE = 3
    SURROUNDINGS = 4
    BUG = 70
    INTERRUPTED = 130


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
