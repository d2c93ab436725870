"""One key, one effective run."""

import hashlib


def run_key(policy: str, episode: str, arming: int) -> str:
    """sha256 of (policy, episode, arming), hex.

    >>> run_key("flights", "e1", 1) == run_key("flights", "e1", 2)
    False
    """
    return hashlib.sha256("\0".join((policy, episode, str(arming))).encode()).hexdigest()
