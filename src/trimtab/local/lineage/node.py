"""A place in a lineage, with what it was made of below it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    """One thing.

    Attributes:
        kind: prediction, model, run, bundle, code, libraries, hardware, table, source or row.
        facts: what is known of it, JSON values by name; what is empty is left out.
        made_of: what it was made of.
    """

    kind: str
    name: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    made_of: tuple["Node", ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        facts = {name: value for name, value in self.facts.items() if value not in ("", None, {}, [])}
        below = {"madeOf": [one.to_dict() for one in self.made_of]} if self.made_of else {}
        return {"kind": self.kind, "name": self.name, **facts, **below}
