"""A rejection outlives the status: two tags on the registry's version.

`trimtab.rejected.<scope>` holds {"because", "attempt", "revision"} and under "before" the same of other revisions
of that version; one without a revision is of them all. `trimtab.retried.<scope>` holds the orders that lifted one,
in order, each `<id>@<revision>`. A rejection is in force while its attempt is not below the number of retries, so
that a single write lifts it, and an order that has lifted one can never lift the next.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from trimtab.api.rollout_status import KEPT

_ORDER: Final = re.compile(r"(.*?)(?:@([0-9a-f]{8}))?")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the tags say: why the revision is barred (None: it is not), and which orders lifted bars before."""

    rejected: str | None
    retried_by: tuple[str, ...]

    @property
    def attempt(self) -> int:
        return len(self.retried_by)


@dataclass(frozen=True, slots=True)
class _Entry:
    because: str
    attempt: int
    revision: str = ""

    def about(self, revision: str) -> bool:
        return not self.revision or not revision or self.revision == revision


def rejected_key(scope: str) -> str:
    return f"trimtab.rejected.{scope}"


def retried_key(scope: str) -> str:
    return f"trimtab.retried.{scope}"


def rejected_value(because: str, attempt: int, revision: str = "", held: str | None = None) -> str:
    """The tag that bars one more revision.

    Args:
        revision: "" bars every revision of the version.
        held: the tag as it is; None where there is none.
    """
    before = [entry for entry in _entries(held) or () if entry.revision != revision]
    return _written([*before, _Entry(because, attempt, revision)])


def without(held: str | None, revision: str) -> str | None:
    """The tag once a revision is let in again; None where nothing is left of it."""
    rest = [entry for entry in _entries(held) or () if not entry.about(revision)]
    return _written(rest) if rest else None


def retried_value(held: str | None, order: str, revision: str = "") -> str:
    """The tag with one more order; `held` is the tag as it is."""
    return ",".join(filter(None, (held, f"{order}@{revision}" if revision else order)))


def standing(scope: str, tags: Mapping[str, str], revision: str = "") -> Standing:
    """What a version's tags say of one of its revisions ("": of any). Text that is not ours bars for good.

    >>> standing("flights", {})
    Standing(rejected=None, retried_by=())
    >>> standing("flights", {"trimtab.rejected.flights": "by hand"}).rejected
    'by hand'
    """
    retried = [_order(text) for text in tags.get(retried_key(scope), "").split(",") if text]
    mine = tuple(order for order, of in retried if not of or not revision or of == revision)
    text = tags.get(rejected_key(scope))
    entries = _entries(text)
    if text is None or entries is None:
        return Standing(text, mine)
    for entry in reversed(entries):
        lifted = sum(1 for _, of in retried if entry.about(of))
        if entry.about(revision) and entry.attempt >= lifted:
            return Standing(entry.because, mine)
    return Standing(None, mine)


def _entries(text: str | None) -> list[_Entry] | None:
    """The rejections of a tag, newest last; None where it is not ours."""
    try:
        held = json.loads(text or "")
        return [_entry(one) for one in (*held.get("before", ()), held)]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _entry(one: Mapping[str, Any]) -> _Entry:
    return _Entry(str(one["because"]), int(one["attempt"]), str(one.get("revision", "")))


def _written(entries: list[_Entry]) -> str:
    *before, newest = [asdict(entry) for entry in entries[-KEPT:]]
    return json.dumps({**newest, "before": before} if before else newest)


def _order(text: str) -> tuple[str, str]:
    """(id, revision) of one retry."""
    found = _ORDER.fullmatch(text)
    assert found is not None
    return found[1], found[2] or ""
