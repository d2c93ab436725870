"""The layouts of the rows that a store holds: a row carries its layout's id, the store the layouts."""

from collections.abc import Callable, Mapping
from typing import Any

from trimtab.adapters.online.packing import Layout, layout_id, unpacker
from trimtab.api.errors import DataRefused
from trimtab.features.columns import DTYPES, Kind


class Layouts:
    """What a process knows of them. Rows that were written before a column was added stay readable."""

    def __init__(self) -> None:
        self._unpackers: dict[int, tuple[tuple[str, ...], Callable[[bytes], list[Any]]]] = {}
        self._kinds: dict[str, dict[str, Kind]] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._unpackers

    def add(self, number: int, view: str, kinds: str) -> None:
        layout = Layout.from_json(kinds)
        names = (*(name for name, _ in layout.flat), *layout.texts)
        self._unpackers[number] = (names, unpacker(layout))
        self._kinds.setdefault(view, {}).update(layout.kinds)

    def kinds(self, view: str) -> Mapping[str, Kind] | None:
        """Of all columns of a view; None for a view of which nothing is known."""
        return self._kinds.get(view)

    def row(self, packed: bytes) -> dict[str, Any]:
        """Values by column.

        Raises:
            KeyError: its layout is not known.
        """
        names, unpack = self._unpackers[layout_id(packed)]
        return dict(zip(names, unpack(packed), strict=True))

    def agree(self, view: str, layout: Layout) -> None:
        """
        Raises:
            DataRefused: a column is held in another kind: models in service read it so.
        """
        held = self._kinds.get(view, {})
        for name, kind in layout.kinds:
            if DTYPES[held.get(name, kind)] != DTYPES[kind]:
                raise DataRefused(
                    f"the online store holds column '{name}' of {view} as {held[name]}, and is sent {kind}",
                    remedy="give the column another name: models in service read the one that is held; "
                    "or empty the store, and fill it again",
                )
