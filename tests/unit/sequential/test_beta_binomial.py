from math import comb

import numpy as np
import pytest

from trimtab.sequential.beta_binomial import log_e_above, log_e_below


@pytest.mark.parametrize("p", [0.2, 0.5, 0.95])
@pytest.mark.parametrize("log_e", [log_e_above, log_e_below])
def test_the_mixture_is_a_fair_game_at_its_null(log_e, p):
    n = 40
    s = np.arange(n + 1)
    chance = np.array([comb(n, k) * p**k * (1 - p) ** (n - k) for k in s])
    assert float(np.sum(chance * np.exp(log_e(s, n, p)))) == pytest.approx(1.0, rel=1e-6)
