"""The reference profile that lies beside each model."""

from typing import Protocol


class Profiles(Protocol):
    def profile(self, uri: str) -> bytes:
        """Bytes of trimtab.drift.Profile of the model folder at `uri`.

        Raises InputRefused if there is none, SurroundingsFailed if the folder cannot be reached.
        """
