"""What a run's pod leaves when it ends: a JSON object of at most 4,096 bytes in /dev/termination-log."""

import json
from dataclasses import dataclass
from typing import Any, Final

MAX_TEXT_BYTES: Final = 900
"""Of each of two texts; escaped, both fit."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, in its own words.

    Attributes:
        skipped: another run holds the key's claim.
        failed: a sentence and a remedy; "" where it came to its gates.
    """

    skipped: bool = False
    failed: str = ""
    version: str | None = None
    passed: bool | None = None
    because: str = ""
    until: str = ""
    labelled: int = 0

    def to_text(self) -> str:
        """
        >>> Ended.from_text(Ended(version="3", passed=True).to_text())
        Ended(skipped=False, failed='', version='3', passed=True, because='', until='', labelled=0)
        """
        told: dict[str, Any] = {
            "trimtab": 1,
            "skipped": self.skipped,
            "failed": cut(self.failed),
            "version": self.version,
            "passed": self.passed,
            "because": cut(self.because),
            "until": self.until,
            "labelled": self.labelled,
        }
        return json.dumps(told, ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> "Ended | None":
        """None of what no run of ours wrote: the last lines of a log, or a message that was cut."""
        try:
            told = json.loads(text)
            if told.pop("trimtab") != 1:
                return None
            return cls(**told)
        except (ValueError, TypeError, AttributeError, KeyError):
            return None


def cut(text: str) -> str:
    """One line of at most so many bytes.

    >>> len(cut("ä" * 5000).encode())
    900
    """
    return " ".join(text.split()).encode()[:MAX_TEXT_BYTES].decode(errors="ignore")
