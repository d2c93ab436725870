"""A look, now and then, at what may be late or gone."""

import time
from collections.abc import Callable
from typing import Final

LOOK_AFTER_S: Final = 5.0
"""Well before a node of Ray gives up a head that is gone: a minute (gcs_rpc_server_reconnect_timeout_s)."""


class Every:
    """
    Args:
        after_s: between two looks.
    """

    def __init__(self, after_s: float, look: Callable[[], None]) -> None:
        self._after_s, self._look = after_s, look
        self._last_s = time.monotonic()

    def perhaps(self) -> None:
        """Look, if it is time; what the look raises is passed on."""
        if time.monotonic() - self._last_s >= self._after_s:
            self._look()
            self._last_s = time.monotonic()
