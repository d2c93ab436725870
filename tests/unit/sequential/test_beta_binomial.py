from math import comb

import numpy as np
import pytest

from trimtab.sequential.beta_binomial import log_e_above, log_e_below
from trimtab.sequential.betting import Strata, Stratum
from trimtab.sequential.conditional_binomial import log_e_worse


@pytest.mark.parametrize("p", [0.2, 0.5, 0.95])
@pytest.mark.parametrize("log_e", [log_e_above, log_e_below])
def test_the_mixture_is_a_fair_game_at_its_null(log_e, p):
    n = 40
    s = np.arange(n + 1)
    chance = np.array([comb(n, k) * p**k * (1 - p) ** (n - k) for k in s])
    assert float(np.sum(chance * np.exp(log_e(s, n, p)))) == pytest.approx(1.0, rel=1e-6)


def test_errors_in_one_arm_alone_are_soon_suspicious():
    assert log_e_worse(Strata.of([Stratum(0.5, 1000, 10, 1000, 0)])) > np.log(20)
    assert log_e_worse(Strata.of([Stratum(0.05, 50, 5, 950, 0)])) > np.log(100)
    assert log_e_worse(Strata()) == 0.0
