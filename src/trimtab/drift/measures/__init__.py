"""The measures of drift, one a file, in two explicit tables: by name, for numbers and for categories.

Each is a function from a `Pair` (two sketches on the same cells) to a `Measured`. The divergences are symmetric
for categories only: numbers are binned by the reference.
"""

from dataclasses import replace
from typing import Final

from trimtab.drift.base import Measure
from trimtab.drift.measures.anderson_darling import anderson_darling
from trimtab.drift.measures.chi_square import chi_square
from trimtab.drift.measures.energy import energy
from trimtab.drift.measures.g_test import g_test
from trimtab.drift.measures.hellinger import hellinger
from trimtab.drift.measures.jensen_shannon import jensen_shannon
from trimtab.drift.measures.kolmogorov_smirnov import ks
from trimtab.drift.measures.kullback_leibler import kullback_leibler
from trimtab.drift.measures.mean_shift import mean_shift
from trimtab.drift.measures.new_category_share import new_category_share
from trimtab.drift.measures.psi import psi
from trimtab.drift.measures.quantile_shift import quantile_shift
from trimtab.drift.measures.std_shift import std_shift
from trimtab.drift.measures.total_variation import total_variation
from trimtab.drift.measures.wasserstein import wasserstein

_SHARED: Final = (
    Measure("psi", psi, 0.2, "the customary bound between a moderate and a large shift", "nats"),
    Measure("jensen_shannon", jensen_shannon, 0.1, "two samples with 1 % of information apart", "distance"),
    Measure("hellinger", hellinger, 0.1, "as Jensen-Shannon, of which it is a near multiple", "distance"),
    Measure(
        "kullback_leibler", kullback_leibler, 0.1, "half of PSI's floor, being half of it", "nats", False
    ),
)

NUMBER: Final[dict[str, Measure]] = {
    measure.name: measure
    for measure in (
        Measure("ks", ks, 0.1, "a tenth of the rows on the other side of some value", "share of rows"),
        Measure("wasserstein", wasserstein, 0.1, "a tenth of the reference's spread", "spreads", False),
        *(replace(measure, symmetric=False) for measure in _SHARED),
        Measure("anderson_darling", anderson_darling, 0.05, "a shift of a tenth of the rows", "distance"),
        Measure("energy", energy, 0.1, "a tenth of the square root of the spread", "√spreads", False),
        Measure("mean_shift", mean_shift, 0.2, "Cohen's small effect", "standard deviations", False),
        Measure("std_shift", std_shift, 0.2, "a spread larger or smaller by a fifth", "log ratio", False),
        Measure("quantile_shift", quantile_shift, 0.2, "a fifth of the reference's spread", "spreads", False),
    )
}

CATEGORY: Final[dict[str, Measure]] = {
    measure.name: measure
    for measure in (
        Measure("chi_square", chi_square, 0.1, "Cohen's small effect", "Cramér's V"),
        Measure("g_test", g_test, 0.1, "as chi-square, which it approaches", "√(2 nats)"),
        *_SHARED,
        Measure(
            "total_variation", total_variation, 0.1, "a tenth of the rows changed category", "share of rows"
        ),
        Measure(
            "new_category_share",
            new_category_share,
            0.01,
            "one row in a hundred was never seen",
            "share of rows",
            False,
        ),
    )
}
