"""Whose certificates are trusted: read once, and anew where the file has changed, as one that is mounted does.

To read the system's takes 25 ms of CPU; a registry that a thousand rollouts follow is asked often.
"""

import ssl
from functools import lru_cache
from pathlib import Path


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """For clients.

    Args:
        ca_file: certificates in PEM; None for the system's.

    Raises:
        OSError: no such file, or no certificates in it.
    """
    return _read(ca_file, ca_file.stat().st_mtime_ns if ca_file is not None else 0)


@lru_cache(maxsize=16)
def _read(ca_file: Path | None, written_ns: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)
