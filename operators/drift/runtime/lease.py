"""One of several replicas works: a Lease of coordination.k8s.io, held by renewing it.

As client-go's leader election (tools/leaderelection): a candidate takes over when it has seen no renewal for the
holder's lease duration on its *own* clock, so clocks need not agree; the holder stops at its renew deadline, well
before that. What is stricter here, each for a failure that was seen: the deadline counts from before the renewal
was *sent*; the clock is one that nobody sets and that runs on while the machine sleeps; every call ends in time;
any exception is a failed renewal; work that ends or crashes gives the lease back; and at the deadline the process
ends there and then, since a task or thread that is merely asked to stop may not.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from random import uniform
from typing import Any, Final
from uuid import uuid4

from operators.drift.runtime.client import Client
from operators.drift.runtime.errors import ApiError, LeaseLost, NotFound
from operators.drift.runtime.fenced import Fence, boot_clock
from operators.drift.runtime.resource import Object, Resource

LEASES: Final = Resource("coordination.k8s.io", "v1", "Lease", "leases")
log = logging.getLogger(__name__)


def unique_identity() -> str:
    """Of this process: a pod that restarts is another holder, since its writes of before may still be under way."""
    return f"{socket.gethostname()}_{uuid4().hex[:8]}"


class Elector:
    """One candidate. `fence` is open just while it leads."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        *,
        identity: str = "",
        lease_s: int = 12,
        renew_deadline_s: float = 8.0,
        retry_s: float = 2.0,
        poll_s: float = 1.0,
        clock: Callable[[], float] = boot_clock,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        """
        Args:
            client: of this process, not fenced.
            lease_s: how long the others wait for a sign of life. With `poll_s` the bound of a fail-over:
                lease_s + 2 · 1.2 · poll_s and a call.
            renew_deadline_s: how long the holder works on without a renewal.
            retry_s: between renewals; `poll_s` between looks of those who wait.
            leave: ends the process; must not return in production.

        Raises:
            ValueError: the deadlines leave no gap between the old holder's end and the next one's start.
        """
        if not retry_s < renew_deadline_s < lease_s:
            raise ValueError(
                f"needs retry_s {retry_s} < renew_deadline_s {renew_deadline_s} < lease_s {lease_s}"
            )
        self.identity = identity or unique_identity()
        self.holder = ""
        self.epoch = ""
        self.fence = Fence(clock)
        self._client = client
        self._namespace = namespace
        self._name = name
        self._lease_s = lease_s
        self._renew_deadline_s = renew_deadline_s
        self._retry_s = retry_s
        self._poll_s = poll_s
        self._clock = clock
        self._leave = leave
        self._asked = False
        self._held: Object | None = None
        self._seen: tuple[str, float] = ("", 0.0)

    @property
    def leading(self) -> bool:
        return self.fence.remaining_s > 0

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, then do `work` while it lasts. Ends when the work ends, and gives the lease back.

        Cancelled, it stops the work, waits for writes under way, and gives the lease back, so that a successor
        starts within a poll.

        Raises:
            LeaseLost: only where `leave` returns.
            Whatever `work` raises.
        """
        try:
            await self._acquire()
        except asyncio.CancelledError:
            if self._asked:  # the write that took it may just have arrived
                await self._release()
            raise
        working = asyncio.ensure_future(work())
        renewing = asyncio.ensure_future(self._renew_until_lost())
        try:
            await asyncio.wait((working, renewing), return_when=asyncio.FIRST_COMPLETED)
            if renewing.done():
                self.fence.close()
                log.critical("lease %s/%s lost: %s", self._namespace, self._name, renewing.exception())
                self._leave(1)
                renewing.result()
            working.result()
        finally:
            await self._end(working, renewing)

    async def _acquire(self) -> None:
        while not await self._try_acquire():
            await asyncio.sleep(self._poll_s * uniform(0.8, 1.2))
        log.info("lease %s/%s taken by %s, epoch %s", self._namespace, self._name, self.identity, self.epoch)

    async def _try_acquire(self) -> bool:
        try:
            async with asyncio.timeout(self._retry_s * 2):
                lease = await self._read()
                if lease is not None and not self._free(lease):
                    return False
                sent, self._asked = self._clock(), True
                taken = await self._write(lease, self._terms(lease, taking=True))
        except (ApiError, TimeoutError, KeyError, ValueError) as error:
            log.info("lease %s/%s not taken: %s", self._namespace, self._name, error or "no answer in time")
            return False
        self.epoch = f"{taken['spec']['leaseTransitions']}-{self.identity}"
        self._hold(taken, sent)
        return self.leading

    async def _renew_until_lost(self) -> None:
        while True:
            remaining_s = self.fence.remaining_s
            if remaining_s <= 0:
                raise LeaseLost("no renewal before the deadline")
            await asyncio.sleep(min(self._retry_s, remaining_s))
            await self._renew()

    async def _renew(self) -> None:
        """Once; any failure but the loss itself is left to the deadline."""
        remaining_s = self.fence.remaining_s
        if remaining_s <= 0:
            raise LeaseLost("no renewal before the deadline")
        try:
            async with asyncio.timeout(min(self._retry_s, remaining_s)):
                sent = self._clock()
                lease = self._held or await self._read()
                if lease is None or lease["spec"].get("holderIdentity") != self.identity:
                    raise LeaseLost("another holds it" if lease else "it was deleted")
                renewed = await self._write(lease, self._terms(lease, taking=False))
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - whatever went wrong, nothing was renewed
            self._held = None  # a write without an answer may have moved the version on: read first
            if isinstance(error, TimeoutError):  # ours, which comes before the client's
                self._client.unanswered()
            log.warning(
                "lease %s/%s not renewed: %s", self._namespace, self._name, error or "no answer in time"
            )
        else:
            self._hold(renewed, sent)

    async def _end(self, working: "asyncio.Future[None]", renewing: "asyncio.Future[None]") -> None:
        for task in (working, renewing):  # the lease is renewed until the work has stopped
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        mine, remaining_s = self.leading, self.fence.remaining_s
        self.fence.close()
        if mine and await self.fence.empty(remaining_s):
            await self._release()
        self._held, self._asked = None, False
        self.epoch = self.holder = ""

    async def _release(self) -> None:
        try:
            async with asyncio.timeout(self._retry_s):
                lease = self._held or await self._read()
                if lease is not None and lease["spec"].get("holderIdentity") == self.identity:
                    spec = {
                        **lease["spec"],
                        "holderIdentity": "",
                        "leaseDurationSeconds": 1,
                        "renewTime": _now(),
                    }
                    await self._write(lease, spec)
                    log.info("lease %s/%s given back", self._namespace, self._name)
        except Exception as error:  # noqa: BLE001 - it ends by itself, only later
            log.warning("lease %s/%s not given back: %s", self._namespace, self._name, error)

    async def _read(self) -> Object | None:
        try:
            return await self._client.get(LEASES, self._namespace, self._name)
        except NotFound:
            return None

    async def _write(self, lease: Object | None, spec: Object) -> Object:
        if lease is None:
            metadata: dict[str, Any] = {"namespace": self._namespace, "name": self._name}
            made = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": spec}
            return await self._client.create(LEASES, made)
        return await self._client.replace(LEASES, {**lease, "spec": spec})

    def _hold(self, lease: Object, sent: float) -> None:
        self._held = lease
        self.holder = self.identity
        self.fence.open(sent, self._renew_deadline_s)

    def _free(self, lease: Object) -> bool:
        """Given back, ours by a write without an answer, or unchanged for its duration since first seen."""
        spec = lease["spec"]
        self.holder = spec.get("holderIdentity") or ""
        version = lease["metadata"]["resourceVersion"]
        if version != self._seen[0]:
            self._seen = (version, self._clock())
        silent_s = self._clock() - self._seen[1]
        return self.holder in ("", self.identity) or silent_s > (
            spec.get("leaseDurationSeconds") or self._lease_s
        )

    def _terms(self, lease: Object | None, *, taking: bool) -> Object:
        before = lease["spec"] if lease else {}
        transitions = int(before.get("leaseTransitions") or 0) + (1 if taking and lease else 0)
        return {
            **before,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self._lease_s,
            "acquireTime": _now() if taking else before["acquireTime"],
            "renewTime": _now(),
            "leaseTransitions": transitions,
        }


def _now() -> str:
    """For people: no decision reads it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
