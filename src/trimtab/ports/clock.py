"""Time, as the loop sees it: wall time in service, the replay's time in the demo."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Timezone-aware UTC."""

    def monotonic_s(self) -> float:
        """Seconds that never go back; elapsed time of steps is measured by it."""
