"""The end of a task that is cancelled."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ended_in_order() -> Iterator[None]:
    """SIGTERM, by which a task is told to end, raises SystemExit: what is at work then says that it has failed.

    The first one alone counts, and none after Ctrl-C: what goes to its end is not broken off. Outside of the main
    thread, where Python takes no signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _end(number: int, _: object) -> None:
    if not isinstance(sys.exception(), KeyboardInterrupt | SystemExit):
        signal.signal(number, signal.SIG_IGN)
        sys.exit(128 + number)
