"""The reference profile that lies beside each model."""

from typing import Protocol

from trimtab.api.errors import InputRefused


class Unprofiled(InputRefused):
    """The model has no profile and never will; it may serve all the same, and nothing that needs one is judged."""


class Profiles(Protocol):
    def profile(self, uri: str) -> bytes:
        """Bytes of trimtab.drift.Profile of the model folder at `uri`.

        Raises Unprofiled if there can be none, InputRefused if it is missing or wrong, SurroundingsFailed if the
        folder cannot be reached.
        """
