"""One works at a time, and what it wrote too late does not count."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.leases import LONG_LEASE_S
from tests.cluster.control_plane.runtime.scenario import config_map, play, running, until
from tests.standstill import Standstill

if TYPE_CHECKING:
    from operators.drift.runtime import Client
    from tests.cluster.kube.fault_proxy import FaultProxy

pytestmark = pytest.mark.xdist_group("control-plane-runtime")

TAKES_OVER_WITHIN_S = 20.0 * 3
STARTS_AFTER_RELEASE_WITHIN_S = 2.0 * 3


async def for_ever() -> None:
    await asyncio.Event().wait()


def test_a_lease_given_back_is_taken_within_a_poll(
    straight: str, namespace: str, table: Callable[[str, str], None]
) -> None:
    from operators.drift.runtime import Elector
    from operators.drift.runtime.lease import LEASES

    async def scenario(client: "Client") -> None:
        first, second = (
            Elector(client, namespace, "l", lease_s=LONG_LEASE_S, renew_deadline_s=100, leave=lambda _: None)
            for _ in range(2)
        )
        async with running(first.lead(for_ever)) as leading:
            await until("the first", lambda: first.leading)
            async with running(second.lead(for_ever)):
                await until("the second sees it", lambda: second.holder == first.identity)
                assert not second.leading
                epoch = first.epoch
                with Standstill() as still:
                    leading[0].cancel()
                    stopped = time.monotonic()
                    await until("the second", lambda: second.leading, LONG_LEASE_S / 2)
                    took_s = still.since_s(stopped)
                assert took_s < STARTS_AFTER_RELEASE_WITHIN_S
                table("clean end of the leader", f"successor after {took_s:.1f} s")
                assert not first.leading
                assert second.epoch not in ("", epoch)
                lease = await client.get(LEASES, namespace, "l")
                assert lease["spec"]["holderIdentity"] == second.identity
                assert lease["spec"]["leaseTransitions"] == 1

    play(scenario, straight)


def test_a_leader_that_vanishes_is_followed(
    proxy: "FaultProxy", through: str, straight: str, namespace: str, table: Callable[[str, str], None]
) -> None:
    """Black hole around the leader: it ends at its deadline, the successor starts only after, and soon."""
    from operators.drift.runtime import Client, Elector, LeaseLost

    async def scenario(client: "Client") -> None:
        async with await Client.connect(straight) as sure:
            ended: list[tuple[int, float]] = []
            loop = asyncio.get_running_loop()
            first = Elector(client, namespace, "l", leave=lambda status: ended.append((status, loop.time())))
            second = Elector(sure, namespace, "l", leave=lambda _: None)
            async with running(first.lead(for_ever)) as leading:
                await until("the first", lambda: first.leading)
                async with running(second.lead(for_ever)):
                    await until("the second waits", lambda: second.holder == first.identity)
                    proxy.black_hole()
                    vanished = loop.time()
                    while not second.leading:
                        assert loop.time() - vanished < TAKES_OVER_WITHIN_S
                        assert not (first.leading and second.leading)
                        await asyncio.sleep(0.01)
                    started = loop.time()
                    await asyncio.wait(leading)
                    assert isinstance(leading[0].exception(), LeaseLost)
                    assert [status for status, _ in ended] == [1]
                    assert ended[0][1] < started
                    stopped, took = ended[0][1] - vanished, started - vanished
                    table(
                        "leader cut off",
                        f"it ended after {stopped:.1f} s, its successor led after {took:.1f} s",
                    )

    play(scenario, through, timeout_s=2.0)


@pytest.mark.parametrize("how", ["refuse", "answer 500", "answer 409", "deleted", "stolen"])
def test_no_write_is_sent_once_the_lease_is_lost(
    how: str, proxy: "FaultProxy", through: str, straight: str, namespace: str
) -> None:
    from operators.drift.runtime import Client, Elector, Fenced, LeaseLost, Resource, Unavailable
    from operators.drift.runtime.lease import LEASES

    maps = Resource("", "v1", "ConfigMap", "configmaps")

    async def scenario(client: "Client") -> None:
        async with await Client.connect(straight) as sure:
            elector = Elector(
                client,
                namespace,
                "l",
                lease_s=4,
                renew_deadline_s=2,
                retry_s=0.5,
                leave=lambda status: at_loss.append(begun[-1]),
            )
            writer = client.behind(elector.fence)
            begun, at_loss = [0], list[int]()

            async def work() -> None:
                """Write on and on, each time another object."""
                while True:
                    begun.append(begun[-1] + 1)
                    with suppress(Fenced, Unavailable):
                        wish = config_map(namespace, f"n{begun[-1]}")
                        await writer.apply(maps, wish, manager="tester")
                    await asyncio.sleep(0.005)

            with pytest.raises(Fenced):
                await writer.create(maps, config_map(namespace, "before"))
            async with running(elector.lead(work)) as leading:
                await until("writes", lambda: proxy.count("PATCH", "/configmaps") > 3)
                if how == "refuse":
                    proxy.refuse()
                elif how.startswith("answer"):
                    proxy.answer("PUT", "/leases/", int(how.split()[1]), times=1e9)
                elif how == "deleted":
                    await sure.delete(LEASES, namespace, "l")
                else:
                    patch = {"spec": {"holderIdentity": "somebody"}}
                    await sure.merge_patch(LEASES, namespace, "l", patch)
                await asyncio.wait(leading, timeout=20)
                assert isinstance(leading[0].exception(), LeaseLost)
                proxy.accept()
                with pytest.raises(Fenced):
                    await writer.apply(maps, config_map(namespace, "n999999"), manager="tester")
                sent = [int(call.path.rsplit("/n", 1)[1]) for call in proxy.calls if call.method == "PATCH"]
                assert max(sent) <= at_loss[0]

    play(scenario, through, timeout_s=1.0)


def test_a_write_that_waited_for_its_connection_is_checked_again_before_its_first_byte(
    through: str, namespace: str, proxy: "FaultProxy"
) -> None:
    """The lease is lost between the call and the moment at which a connection is there."""
    from operators.drift.runtime import Fence, Fenced, Resource

    maps = Resource("", "v1", "ConfigMap", "configmaps")

    async def scenario(client: "Client") -> None:
        now = 0.0
        looks = 0

        def clock() -> float:
            nonlocal now, looks
            looks += 1
            if looks == 3:  # the call's own check and its time limit have passed
                now = 100.0
            return now

        fence = Fence(clock)
        fence.open(0.0, 50.0)
        with pytest.raises(Fenced):
            await client.behind(fence).create(maps, config_map(namespace, "late"))
        assert looks == 3
        assert proxy.count("POST", "/configmaps") == 0

    play(scenario, through)


def test_a_write_in_flight_until_a_successor_has_acted_is_refused(
    proxy: "FaultProxy", through: str, straight: str, namespace: str
) -> None:
    """The old leader's write carries the version it was decided on; the new one's stamp has moved that on."""
    from operators.drift.runtime import Client, Elector, Resource, Unavailable

    maps = Resource("", "v1", "ConfigMap", "configmaps")

    async def scenario(client: "Client") -> None:
        async with await Client.connect(straight) as sure:
            made = await sure.create(maps, config_map(namespace, "route", weight="0"))
            old = Elector(
                client, namespace, "l", lease_s=3, renew_deadline_s=2, retry_s=0.5, leave=lambda status: None
            )
            new = Elector(sure, namespace, "l", poll_s=0.2, leave=lambda _: None)
            held = proxy.hold("PUT", "/configmaps/route")

            async def write() -> None:
                with pytest.raises(Unavailable):
                    await client.behind(old.fence).replace(maps, {**made, "data": {"weight": "100"}})

            async with running(old.lead(write)):
                await asyncio.to_thread(held.wait)
                proxy.black_hole()
                async with running(new.lead(for_ever)):
                    await until("the successor", lambda: new.leading, TAKES_OVER_WITHIN_S)
                    stamp = {"metadata": {"annotations": {"epoch": new.epoch}}}
                    await sure.behind(new.fence).merge_patch(maps, namespace, "route", stamp)
                    assert await asyncio.to_thread(held.release) == 409
                    route = await sure.get(maps, namespace, "route")
                    assert route["data"] == {"weight": "0"}
                    assert route["metadata"]["annotations"] == {"epoch": new.epoch}

    play(scenario, through, timeout_s=1.0)


@pytest.mark.parametrize("crash", [True, False])
def test_work_that_ends_or_crashes_gives_the_lease_back(crash: bool, straight: str, namespace: str) -> None:
    from operators.drift.runtime import Elector
    from operators.drift.runtime.lease import LEASES

    async def scenario(client: "Client") -> None:
        elector = Elector(client, namespace, "l", leave=lambda _: None)

        async def work() -> None:
            if crash:
                raise ZeroDivisionError

        if crash:
            with pytest.raises(ZeroDivisionError):
                await elector.lead(work)
        else:
            await elector.lead(work)
        lease = await client.get(LEASES, namespace, "l")
        assert not lease["spec"].get("holderIdentity")
        assert not elector.leading

    play(scenario, straight)


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_clocks_that_jump_never_make_two_leaders(jump_s: float, straight: str, namespace: str) -> None:
    """A leader whose clock jumps on stops. One that jumps back stops too, for it would else believe for an hour."""
    from operators.drift.runtime import Elector, LeaseLost, boot_clock

    async def scenario(client: "Client") -> None:
        offset = 0.0
        elector = Elector(
            client,
            namespace,
            "l",
            lease_s=4,
            renew_deadline_s=2,
            retry_s=0.3,
            clock=lambda: boot_clock() + offset,
            leave=lambda status: None,
        )
        async with running(elector.lead(for_ever)) as leading:
            await until("leading", lambda: elector.leading)
            offset = jump_s
            assert not elector.leading
            await asyncio.wait(leading, timeout=10)
            assert isinstance(leading[0].exception(), LeaseLost)

    play(scenario, straight)


def test_two_of_one_lease_never_both_write(proxy: "FaultProxy", through: str, namespace: str) -> None:
    """Seeded harm to everything for a while: each write names its epoch, and epochs never interleave."""
    import random

    from operators.drift.runtime import ApiError, Elector, Fenced, LeaseLost, Resource

    maps = Resource("", "v1", "ConfigMap", "configmaps")
    draw = random.Random(7)

    async def scenario(client: "Client") -> None:
        written: list[tuple[int, str]] = []
        await client.create(maps, config_map(namespace, "log"))

        async def candidate() -> None:
            while True:
                elector = Elector(
                    client, namespace, "l", lease_s=2, renew_deadline_s=1.2, retry_s=0.3, poll_s=0.2,
                    leave=lambda status: None,
                )  # fmt: skip
                writer = client.behind(elector.fence)

                async def work(elector: Any = elector, writer: Any = writer) -> None:
                    while True:
                        try:
                            obj = await writer.merge_patch(
                                maps, namespace, "log", {"data": {"by": elector.epoch}}
                            )
                            written.append((int(obj["metadata"]["resourceVersion"]), obj["data"]["by"]))
                        except Fenced:
                            return
                        except ApiError:
                            pass
                        await asyncio.sleep(0.02)

                with suppress(LeaseLost):
                    await elector.lead(work)

        async with running(candidate(), candidate()):
            for _ in range(12):
                harm = draw.choice(("PUT", "GET", "POST"))
                if draw.random() < 0.5:
                    proxy.answer(harm, "/leases", draw.choice((409, 429, 500)), times=draw.randint(1, 6))
                else:
                    proxy.hang(harm, "/leases", times=draw.randint(1, 4))
                seen = len(written)
                await until("writes again", lambda seen=seen: len(written) > seen + 5, TAKES_OVER_WITHIN_S)
        in_order = [epoch for _, epoch in sorted(written)]
        turns = [
            epoch for number, epoch in enumerate(in_order) if number == 0 or in_order[number - 1] != epoch
        ]
        assert len(turns) == len(set(turns))
        assert len(turns) > 1

    play(scenario, through, timeout_s=0.8)
