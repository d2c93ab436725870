"""A status between two looks: read when somebody else wrote it, written when it says something new."""

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from pydantic import ValidationError

from trimtab.api.values import Stored
from trimtab.ports.state import Event, State

S = TypeVar("S", bound=Stored)


class Memory(Generic[S]):
    """The stored status of one resource, with the version that the next write is decided on.

    Attributes:
        unreadable: what is wrong with a stored status that was taken for lost, since somebody else wrote into it; ""
            for a status that can be read.
    """

    def __init__(self, state: State, kind: str, name: str, model: type[S]) -> None:
        self._state, self._kind, self._name, self._model = state, kind, name, model
        self._version: str | None = None
        self._held: S | None = None
        self._seen: str | None = None
        self.unreadable = ""

    @property
    def held(self) -> S | None:
        """What `load` gave last, or was written since: what the next `save` is decided on."""
        return self._held

    def load(self) -> S | None:
        """The status as stored, or as written last; None where there is none."""
        seen = self._state.seen()
        if seen != self._seen:
            document = self._state.read(self._kind, self._name)
            if document is None:
                self._version, self._held = None, None
            elif document.version != self._version or self._held is None:
                self._version, self._held = document.version, self._read(document.body)
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

    def _read(self, body: Mapping[str, object]) -> S | None:
        try:
            return self._model.model_validate(body)
        except ValidationError as error:
            first = error.errors()[0]
            self.unreadable = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
            return None
