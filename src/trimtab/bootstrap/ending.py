"""The end of a task that is cancelled."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ended_in_order() -> Iterator[None]:
    """SIGTERM, by which a task is told to end, raises SystemExit: what is at work then says that it has failed.

    It does not break off what already goes to its end, after Ctrl-C or a first SIGTERM. Outside of the main thread,
    where Python takes no signals, it does nothing.
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
        sys.exit(128 + number)
