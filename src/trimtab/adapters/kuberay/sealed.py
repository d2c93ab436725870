"""A function that passes through a process unopened."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Sealed:
    """A function that is unpickled where it is called: the driver hands it on, and needs none of what it imports.

    Attributes:
        pickled: by cloudpickle.
    """

    pickled: bytes
    _opened: Callable[..., Any] | None = field(default=None, repr=False)

    @staticmethod
    def of(function: Callable[..., Any]) -> "Sealed":
        import cloudpickle

        return Sealed(cloudpickle.dumps(function))

    def __call__(self, *given: Any) -> Any:
        if self._opened is None:
            import cloudpickle

            self._opened = cloudpickle.loads(self.pickled)
        return self._opened(*given)

    def __reduce__(self) -> tuple[Any, ...]:
        return Sealed, (self.pickled,)
