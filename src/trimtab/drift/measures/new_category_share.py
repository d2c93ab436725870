"""The share of current rows whose category the reference never held."""

from trimtab.drift.base import Measured, too_few, undefined
from trimtab.sketch import Pair


def new_category_share(pair: Pair) -> Measured:
    """Share in [0, 1]; undefined where the reference holds more categories than it could count.

    >>> new_category_share(Pair.of_counts([500, 500, 0], [450, 450, 100])).value
    0.1
    """
    if not pair.complete:
        return undefined("more than 10,000 categories: not all rows are known by name")
    if few := too_few(pair):
        return few
    return Measured(float(pair.current[pair.reference == 0].sum()) / pair.current_rows)
