"""The least sample at which each kind of check can Pass at all, for `trimtab check`.

A step that cannot reach it at the stated traffic is refused before it starts, with the number.
"""

from trimtab.sequential.betting import least_requests as requests_for_rate
from trimtab.sequential.quantile import least_requests as requests_for_quantile
from trimtab.sequential.t_mixture import least_blocks as blocks_for_mean

__all__ = ["blocks_for_mean", "requests_for_quantile", "requests_for_rate"]
