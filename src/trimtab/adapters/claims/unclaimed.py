"""Claims where one process starts every run: there is nobody to claim a key against."""

from trimtab.ports.claims import Claim, Effect


class Unclaimed:
    """`trimtab.ports.claims.Claims`: whoever asks holds the claim."""

    def take(self, key: str, run: str) -> Claim:
        return Claim(key, run)

    def settle(self, key: str, run: str, effect: Effect) -> None:
        """Nothing to keep: the run's record says it."""
