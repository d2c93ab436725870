"""Which rows of a batch are their keys' newest."""

from collections.abc import Sequence

import numpy as np

from trimtab.features.columns import Array


def newest(keys: Sequence[str | None], times: Array | None) -> tuple[list[str], list[int], Array]:
    """(keys, their rows' times in µs since the epoch, those rows' indices): of each key the last row by time, then by
    place; null keys and rows without a time left out.

    Args:
        times: datetime64[us]; None counts as the epoch.
    """
    micros = np.zeros(len(keys), np.int64) if times is None else times.astype("datetime64[us]").view(np.int64)
    nowhere = np.isnat(times).tolist() if times is not None else None
    stamps = micros.tolist()
    last: dict[str, int] = {}
    for i, key in enumerate(keys):
        if key is None or (nowhere is not None and nowhere[i]):
            continue
        held = last.get(key)
        if held is None or stamps[i] >= stamps[held]:
            last[key] = i
    rows = np.fromiter(last.values(), np.int64, len(last))
    return list(last), micros[rows].tolist(), rows
