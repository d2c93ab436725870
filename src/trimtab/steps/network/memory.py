"""Memory that one step of a training frees, kept for the next.

glibc hands the end of its heap back to the system when more than twice the size is free above which a block gets pages
of its own. That size, 128 kB at first, grows to each such block that is freed (mallopt(3), M_MMAP_THRESHOLD). A
process that has freed none of many megabytes thus asks for the layers of a large batch anew at each step, and the
system clears every page of them: a quarter of the step's time. Whether one was freed hangs on what happened before.
"""

from typing import Final

import numpy as np

LARGEST: Final = 31 << 20
"""Bytes. glibc learns from blocks of up to 32 MiB; it then keeps 62 MiB at the end of a heap at most."""


def keep_what_steps_free() -> None:
    """Take one large block and free it, untouched, so that it costs no memory.

    It does nothing where the environment says MALLOC_TRIM_THRESHOLD_ or the like, or where there is no glibc.
    """
    np.empty(LARGEST, np.uint8)
