"""A rejection outlives the status: two tags on the registry's version.

`trimtab.rejected.<rollout>` holds {"because", "attempt"}; `trimtab.retried.<rollout>` the ids of the orders that
lifted one, in order. A rejection is in force while its attempt is not below the number of retries, so that a
single write lifts it, and an order that has lifted one can never lift the next.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """What the tags say: why the revision is barred (None: it is not), and which orders lifted bars before."""

    rejected: str | None
    retried_by: tuple[str, ...]

    @property
    def attempt(self) -> int:
        return len(self.retried_by)


def rejected_key(rollout: str) -> str:
    return f"trimtab.rejected.{rollout}"


def retried_key(rollout: str) -> str:
    return f"trimtab.retried.{rollout}"


def rejected_value(because: str, attempt: int) -> str:
    return json.dumps({"because": because, "attempt": attempt})


def retried_value(standing: Standing, order: str) -> str:
    return ",".join((*standing.retried_by, order))


def standing(rollout: str, tags: Mapping[str, str]) -> Standing:
    """What a version's tags say to this rollout. Text that is not ours bars for good.

    >>> standing("flights", {})
    Standing(rejected=None, retried_by=())
    >>> standing("flights", {"trimtab.rejected.flights": "by hand"}).rejected
    'by hand'
    """
    retried = tuple(filter(None, tags.get(retried_key(rollout), "").split(",")))
    text = tags.get(rejected_key(rollout))
    if text is None:
        return Standing(None, retried)
    try:
        held = json.loads(text)
        because, attempt = str(held["because"]), int(held["attempt"])
    except (ValueError, TypeError, KeyError):
        return Standing(text, retried)
    return Standing(because if attempt >= len(retried) else None, retried)
