"""The online store: the latest row of each key of each view, read within a request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from trimtab.features.columns import Array, Columns, Kind


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of one view, aligned with the keys asked for.

    Attributes:
        times: datetime64[us] from when each row was known, shape (keys,); NaT where nothing was found;
            the epoch for a view without time.
        columns: by source column, shape (keys,); missing where nothing was found.
    """

    times: Array
    columns: Columns


class OnlineReader(Protocol):
    """Keys are texts as `trimtab.features.inputs.entity_keys` makes them."""

    def read(self, wanted: Sequence[tuple[str, Sequence[str | None]]]) -> list[Found]:
        """Rows of several (view, keys) in one round trip, in order; a null or unknown key finds nothing.

        Raises:
            SurroundingsFailed: the store cannot be reached, or answers what is not understood.
        """

    def close(self) -> None:
        """Nothing is asked of it afterwards."""


class OnlineStore(OnlineReader, Protocol):
    """An online store of trimtab's own rows."""

    def write(
        self,
        view: str,
        kinds: Mapping[str, Kind],
        keys: Sequence[str | None],
        times: Array | None,
        columns: Columns,
    ) -> int:
        """Make these the latest rows of their keys, in one transaction; returns how many rows were taken. A home that
        serves others meanwhile may cut a large batch into transactions.

        A row older than the one held is passed over, as are null keys; of two rows with one key and time the
        later in the batch stands. Writing twice changes nothing.

        Args:
            kinds: kind by column; the row's layout, kept with it.
            times: datetime64[us]; None for a view without time.

        Raises:
            DataRefused: a column is held in another kind.
            SurroundingsFailed: the store cannot be reached, or does not take them; it holds what it held.
        """
