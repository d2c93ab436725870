"""What every child of a ModelRollout carries: whose it is, and how it is found again."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

ROLLOUT: Final = "trimtab.dev/rollout"
"""Label: the rollout's name; where that is longer than a label may be, its cut."""
REVISION: Final = "trimtab.dev/revision"
"""Label: a revision's hash8."""
MANAGED_BY: Final = "app.kubernetes.io/managed-by"

LABEL_LENGTH: Final = 63
MARK_LENGTH: Final = 4

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Whose children they are.

    Attributes:
        rollout: name of the ModelRollout.
        uid: of the ModelRollout, for owner references; "" for children that nobody owns.
        account: service account that writes them; "" for the process's own identity.
    """

    namespace: str
    rollout: str
    uid: str = ""
    account: str = ""

    @property
    def label(self) -> str:
        """The rollout's name as a label's value."""
        return cut(self.rollout, LABEL_LENGTH)

    @property
    def labels(self) -> Json:
        return {MANAGED_BY: "trimtab", ROLLOUT: self.label}

    @property
    def owners(self) -> list[Json]:
        if not self.uid:
            return []
        return [
            {
                "apiVersion": "trimtab.dev/v1alpha1",
                "kind": "ModelRollout",
                "name": self.rollout,
                "uid": self.uid,
                "controller": True,
            }
        ]


@dataclass(frozen=True, slots=True)
class Fact:
    """A condition as one adapter knows it, without the times."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""


def cut(name: str, most: int) -> str:
    """A name of at most `most` characters that may stand in a DNS label: lower case, digits, inner dashes.

    One that had to be changed ends in a mark of the whole name, so that two names never become one.

    >>> cut("flights", 20), cut("a-very-long-name-of-a-rollout", 20)
    ('flights', 'a-very-long-nam-ae77')
    """
    plain = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")
    if not plain or not plain[0].isalpha():
        plain = f"r{plain}"
    if plain == name and len(plain) <= most:
        return plain
    mark = hashlib.sha256(name.encode()).hexdigest()[:MARK_LENGTH]
    return f"{plain[: max(1, most - MARK_LENGTH - 1)].rstrip('-')}-{mark}"


def changed(obj: Mapping[str, Any], **parts: Any) -> Json:
    """A copy of an object with some of its top-level parts replaced."""
    return {**obj, **parts}
