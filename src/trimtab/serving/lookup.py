"""Columns of views, looked up by a request's keys in the online store."""

from collections.abc import Sequence

from trimtab.features.columns import Array
from trimtab.features.inputs import entity_keys, placed, unknown_keys
from trimtab.features.plan import PlannedView
from trimtab.ports.online import OnlineReader
from trimtab.serving.accepted import Rows
from trimtab.serving.values import RequestRefused


class Lookup:
    """The look-ups of one plan.

    Attributes:
        null_keys, unknown_keys: by view, keys so far that were null, or that the store did not hold.
    """

    def __init__(
        self,
        views: Sequence[PlannedView],
        time: str | None,
        store: OnlineReader | None,
        *,
        reject_missing: bool = False,
    ) -> None:
        self._views = tuple(views)
        self._time = time
        self._store = store
        self._reject = reject_missing
        self.null_keys = {view.name: 0 for view in views}
        self.unknown_keys = {view.name: 0 for view in views}

    def inputs(self, rows: Rows) -> dict[str, Array]:
        """The rows' columns with those of the views, as transform takes them; what a request gives, stays.

        Raises:
            RequestRefused: a key finds nothing and missing ones are rejected, or there is no store to ask.
            SurroundingsFailed: the store cannot be reached.
        """
        given = rows.columns
        wanted = [view for view in self._views if any(c.name not in given for c in view.columns)]
        if not wanted:
            return dict(given)
        if self._store is None:
            lacking = next(c.name for view in wanted for c in view.columns if c.name not in given)
            raise RequestRefused(
                f"input '{lacking}' is missing, and this server has no online store to look it up"
            )
        keys = [entity_keys(view, given) for view in wanted]
        found = self._store.read([(view.name, asked) for view, asked in zip(wanted, keys, strict=True)])
        times = given.get(self._time) if self._time is not None else None
        inputs: dict[str, Array] = {}
        for view, asked, row in zip(wanted, keys, found, strict=True):
            self._count(view, asked, row.times)
            inputs.update(placed(view, row.times, row.columns, times))
        inputs.update(given)
        return inputs

    def _count(self, view: PlannedView, keys: Sequence[str | None], times: Array) -> None:
        null, unknown = unknown_keys(keys, times)
        if not null and not unknown:
            return
        self.null_keys[view.name] += null
        self.unknown_keys[view.name] += unknown
        if self._reject:
            row = next(row for row, time in enumerate(times) if time != time)
            shown = "null" if keys[row] is None else repr(keys[row])
            raise RequestRefused(
                f"input '{', '.join(view.by)}', row {row}: {view.name} holds nothing for the key {shown}"
            )
