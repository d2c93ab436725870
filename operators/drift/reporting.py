"""Events that a person reads under `kubectl describe`: few, whole sentences, never a flood.

The same event again within ten minutes is counted in the first one's series. An object tells at most twenty
different things in a row and then one every half minute (client-go's spam filter, by the same numbers but faster).
"""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from operators.drift.caches import resource_of
from operators.drift.runtime import ApiError, Client, Object, RuntimeFailure
from trimtab.adapters.kubernetes import kinds

EVENT: Final = resource_of(kinds.EVENT)
CONTROLLER: Final = "trimtab.dev/drift-operator"
SAME_S: Final = 600.0
SERIES_EVERY_S: Final = 300.0
BURST: Final = 20.0
REFILL_PER_S: Final = 1 / 30
REMEMBERED: Final = 4096
LONGEST: Final = 1024
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Told:
    """One event that was sent, and how often it has been said since."""

    name: str
    namespace: str
    at_s: float
    count: int = 1
    sent_s: float = 0.0


@dataclass(slots=True)
class _Bucket:
    left: float = BURST
    at_s: float = field(default_factory=time.monotonic)


class Reporter:
    """Any thread may report; the event loop sends. A report that cannot be sent is logged and forgotten.

    Args:
        instance: who this replica is.
    """

    def __init__(
        self,
        client: Client,
        loop: asyncio.AbstractEventLoop,
        instance: str,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._loop, self._instance, self._clock_s = client, loop, instance, clock_s
        self._told: OrderedDict[str, _Told] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._sending: set[asyncio.Task[None]] = set()

    def report(
        self,
        about: Object,
        reason: str,
        note: str,
        *,
        warning: bool = False,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        self._loop.call_soon_threadsafe(
            self._begin, about, reason, note[:LONGEST], warning, annotations or {}
        )

    def _begin(
        self, about: Object, reason: str, note: str, warning: bool, annotations: Mapping[str, str]
    ) -> None:
        uid = str(about["metadata"].get("uid", ""))
        key = hashlib.sha256("\0".join((uid, reason, note, str(warning))).encode()).hexdigest()
        now = self._clock_s()
        told = self._told.get(key)
        if told is not None and now - told.at_s < SAME_S:
            told.count, told.at_s = told.count + 1, now
            if now - told.sent_s < SERIES_EVERY_S:
                return
            told.sent_s = now
            sending = self._repeat(told)
        elif not self._may(uid, now):
            log.info("event withheld: too many about one object", extra={"reason": reason, "note": note})
            return
        else:
            event = _event(about, reason, note, warning, annotations, self._instance)
            self._told[key] = _Told(event["metadata"]["name"], event["metadata"]["namespace"], now, 1, now)
            self._told.move_to_end(key)
            while len(self._told) > REMEMBERED:
                self._told.popitem(last=False)
            sending = self._send(event)
        task = self._loop.create_task(sending)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _may(self, uid: str, now: float) -> bool:
        bucket = self._buckets.setdefault(uid, _Bucket(at_s=now))
        self._buckets.move_to_end(uid)
        while len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        bucket.left = min(BURST, bucket.left + (now - bucket.at_s) * REFILL_PER_S)
        bucket.at_s = now
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True

    async def _send(self, event: Object) -> None:
        try:
            await self._client.create(EVENT, event)
        except RuntimeFailure as error:
            log.warning("event not sent: %s", error, extra={"reason": event["reason"]})

    async def _repeat(self, told: _Told) -> None:
        series = {"count": told.count, "lastObservedTime": _now()}
        try:
            await self._client.merge_patch(EVENT, told.namespace, told.name, {"series": series})
        except (ApiError, RuntimeFailure) as error:
            log.warning("event not sent: %s", error)


def _event(
    about: Object, reason: str, note: str, warning: bool, annotations: Mapping[str, str], instance: str
) -> dict[str, Any]:
    metadata = about["metadata"]
    namespace = metadata.get("namespace") or "default"
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {
            "name": f"{metadata['name'][:200]}.{uuid4().hex[:16]}",
            "namespace": namespace,
            "annotations": dict(annotations),
        },
        "eventTime": _now(),
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:128],
        "action": "Reconcile",
        "reason": reason,
        "note": note,
        "type": "Warning" if warning else "Normal",
        "regarding": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": metadata["name"],
            "namespace": metadata.get("namespace", ""),
            "uid": metadata.get("uid", ""),
        },
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
