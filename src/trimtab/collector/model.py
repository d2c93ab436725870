"""What a collector must know of a revision's model, read from its reference profile."""

from collections.abc import Mapping
from dataclasses import dataclass

from trimtab.collector.cohorts import Maturity
from trimtab.drift.profile import Profile
from trimtab.sketch import Grid


@dataclass(frozen=True, slots=True)
class Model:
    """A revision's model.

    Attributes:
        grids: how each feature is counted.
        maturity: its label rule; None for a model without one, whose predictions cannot be scored.
    """

    grids: Mapping[str, Grid]
    maturity: Maturity | None

    @classmethod
    def of(cls, profile_bytes: bytes) -> "Model":
        """Raises ProfileUnreadable."""
        profile = Profile.from_bytes(profile_bytes)
        rule = profile.label
        if rule is None:
            return cls(profile.grids, None)
        missing = None if rule.missing == "exclude" else float(rule.missing)
        return cls(profile.grids, Maturity(round(rule.mature_after_s * 1_000_000), missing))
