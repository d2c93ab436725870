"""A lease for operators of which nobody follows another: a machine that stands still for a while ends none of them."""

from collections.abc import Mapping
from typing import Final

LONG_LEASE_S: Final = 120
LONG_LEASE: Final[Mapping[str, str]] = {"duration": f"{LONG_LEASE_S}s", "renewDeadline": "100s"}
