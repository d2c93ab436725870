"""Which columns say the same: their drift counts once.

Spearman's rank correlation between numbers (Spearman 1904), bias-corrected Cramér's V between categories
(Bergsma 2013), above 0.7 in absolute value; linked columns form a group.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

RELATED: Final = 0.7
FEWEST_PAIRS: Final = 50


def groups(
    ranks: Mapping[str, NDArray[np.float64]], codes: Mapping[str, NDArray[np.int64]]
) -> dict[str, int]:
    """A group's number for each column; columns of one number are related.

    Args:
        ranks: by numeric column, each row's rank in it, NaN where missing, shape (rows,).
        codes: by categorical column, each row's code, few distinct ones, −1 where missing, shape (rows,).
    """
    group = {column: number for number, column in enumerate([*ranks, *codes])}
    for held, related in ((list(ranks), _ranks_agree(ranks)), (list(codes), _codes_agree(codes))):
        for one, other in related:
            kept, gone = sorted((group[held[one]], group[held[other]]))
            group = {column: kept if number == gone else number for column, number in group.items()}
    order = {number: place for place, number in enumerate(sorted(set(group.values())))}
    return {column: order[number] for column, number in group.items()}


def _ranks_agree(ranks: Mapping[str, NDArray[np.float64]]) -> list[tuple[int, int]]:
    held = list(ranks.values())
    found = []
    for one in range(len(held)):
        for other in range(one):
            both = np.isfinite(held[one]) & np.isfinite(held[other])
            a, b = held[one][both], held[other][both]
            if len(a) < FEWEST_PAIRS or a.std() == 0 or b.std() == 0:
                continue
            if abs(np.corrcoef(a, b)[0, 1]) > RELATED:
                found.append((one, other))
    return found


def _codes_agree(codes: Mapping[str, NDArray[np.int64]]) -> list[tuple[int, int]]:
    held = list(codes.values())
    return [
        (one, other)
        for one in range(len(held))
        for other in range(one)
        if _cramer(held[one], held[other]) > RELATED
    ]


def _cramer(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    both = (one >= 0) & (other >= 0)
    rows = int(both.sum())
    if rows < FEWEST_PAIRS:
        return 0.0
    a, b = one[both], other[both]
    width = int(b.max()) + 1
    counts = np.bincount(a * width + b).astype(np.float64)
    table = np.pad(counts, (0, -len(counts) % width)).reshape(-1, width)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    r, c = table.shape
    if min(r, c) < 2:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    phi = float(((table - expected) ** 2 / expected).sum()) / rows
    phi = max(0.0, phi - (r - 1) * (c - 1) / (rows - 1))
    smaller = min(r - (r - 1) ** 2 / (rows - 1), c - (c - 1) ** 2 / (rows - 1)) - 1
    return float(np.sqrt(phi / smaller)) if smaller > 0 else 0.0
