"""Conditional binomial e-process for rare events: which arm did each error come from?

If both arms err at one rate, an error belongs to the candidate with the chance p of the route, however rare
errors are (Przyborowski & Wilenski 1940, made anytime-valid by the beta-binomial mixture). Only errors count,
so it needs no margin and no minimum of requests; it answers Fail alone.
"""

from __future__ import annotations

from trimtab.sequential.beta_binomial import log_e_above
from trimtab.sequential.betting import Strata

PRIOR_ERRORS = 4.0


def log_e_worse(evidence: Strata) -> float:
    """Natural log of the e-value against "the candidate errs no more often than stable".

    Strata of different weights multiply.

    >>> from trimtab.sequential.betting import Stratum
    >>> bad, even = Stratum(0.5, 50, 12, 50, 0), Stratum(0.5, 50, 6, 50, 6)
    >>> log_e_worse(Strata.of([bad])) > 3 > 0 > log_e_worse(Strata.of([even]))
    True
    """
    return float(
        sum(
            log_e_above(
                s.errors_candidate, s.errors_candidate + s.errors_stable, s.weight, tosses=PRIOR_ERRORS
            )
            for s in evidence.strata
        )
    )
