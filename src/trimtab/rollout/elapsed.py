"""How long a step has lasted: monotonic time, credited two ticks at most, so that no jump of a clock promotes."""


def credited(elapsed_s: float, seen_s: float | None, monotonic_s: float, tick_s: float) -> float:
    """Elapsed seconds after one more look.

    Args:
        seen_s: monotonic seconds at the last look; None if there was none.
        tick_s: how often one looks.

    >>> credited(100.0, 40.0, 45.0, tick_s=10.0), credited(100.0, 40.0, 3640.0, tick_s=10.0)
    (105.0, 120.0)
    >>> credited(100.0, 40.0, 3.0, tick_s=10.0), credited(100.0, None, 3.0, tick_s=10.0)
    (100.0, 100.0)
    """
    if seen_s is None:
        return elapsed_s
    return elapsed_s + min(max(0.0, monotonic_s - seen_s), 2 * tick_s)
