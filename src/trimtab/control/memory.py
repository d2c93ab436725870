"""A status between two looks: read when somebody else wrote it, written when it says something new."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from trimtab.api.values import Stored
from trimtab.ports.state import Event, State

S = TypeVar("S", bound=Stored)


class Memory(Generic[S]):
    """The stored status of one resource, with the version that the next write is decided on."""

    def __init__(self, state: State, kind: str, name: str, model: type[S]) -> None:
        self._state, self._kind, self._name, self._model = state, kind, name, model
        self._version: str | None = None
        self._held: S | None = None
        self._seen: str | None = None

    def load(self) -> S | None:
        """The status as stored, or as written last; None where there is none."""
        seen = self._state.seen()
        if seen != self._seen:
            document = self._state.read(self._kind, self._name)
            if document is None:
                self._version, self._held = None, None
            elif document.version != self._version or self._held is None:
                self._version, self._held = document.version, self._model.model_validate(document.body)
            self._seen = seen
        return self._held

    def save(self, status: S, events: Sequence[Event] = (), *, durable: bool = True) -> None:
        """Raises Conflict if it was written by another since `load`; load anew then."""
        body = status.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        try:
            self._version = self._state.write(
                self._kind, self._name, body, self._version, events, durable=durable
            )
        except BaseException:
            self._seen = None
            raise
        self._held = status
        self._seen = self._state.seen()
