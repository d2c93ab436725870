"""A metrics server, such as Prometheus: what a check may ask that neither gateway nor collector knows."""

from typing import Protocol


class Metrics(Protocol):
    def query(self, provider: str, query: str) -> float | None:
        """The one number that a query gives now; None where it gives none, or none that is finite.

        Args:
            provider: name of a server in the configuration of whoever runs the loop.

        Raises:
            SurroundingsFailed: the server cannot be asked, or there is none of this name.
            InputRefused: the server refuses the query, or it gives more than one number.
        """
