"""Changes reach the handler, whatever it does, and while nothing changes nothing is asked."""

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.cluster.control_plane.leases import LONG_LEASE_S
from tests.cluster.control_plane.runtime.scenario import config_map, play, running, until

if TYPE_CHECKING:
    from operators.drift.runtime import Client, Looked
    from tests.cluster.kube.fault_proxy import FaultProxy

pytestmark = pytest.mark.xdist_group("control-plane-runtime")


def test_a_handler_sees_each_change_fails_and_tries_again_and_others_do_not_wait_for_one_that_hangs(
    straight: str, namespace: str
) -> None:
    from operators.drift.runtime import Backoff, Controller, Queue, Reflector, Resource, waited

    maps = Resource("", "v1", "ConfigMap", "configmaps")
    looks: list[Looked] = []
    go_on = threading.Event()

    async def scenario(client: "Client") -> None:
        reflector = Reflector(client, maps, namespace=namespace, labels={"made-by": "test"})
        loop = asyncio.get_running_loop()
        failures = iter(range(3))

        def handler(space: str, name: str) -> float | None:
            if name == "hangs":
                go_on.wait(60)
            if name == "fails" and next(failures, None) is not None:
                raise ZeroDivisionError
            held = reflector.store.get(space, name)
            if held is not None and held["data"]["seen"] != held["data"]["wish"]:
                seen = {**held["data"], "seen": held["data"]["wish"]}
                waited(client.replace(maps, {**held, "data": seen}), loop, 15)
            return None

        controller = Controller(
            "copy",
            handler,
            workers=3,
            queue=lambda: Queue(backoff=Backoff(0.01, 0.1)),
            on_look=looks.append,
            grace_s=0.2,
        )
        controller.watch(reflector)
        for name in ("hangs", "fails", "works"):
            await client.create(maps, config_map(namespace, name, wish="1", seen="0"))

        def seen(name: str) -> str:
            held = reflector.store.get(namespace, name)
            return held["data"]["seen"] if held else ""

        async with running(reflector.run(), controller.run()) as (_, work):
            await until("works", lambda: seen("works") == "1")
            await until("fails, in the end", lambda: seen("fails") == "1")
            assert sum(isinstance(look.error, ZeroDivisionError) for look in looks) == 3
            for number in range(2, 30):
                patch = {"data": {"wish": str(number)}}
                await client.merge_patch(maps, namespace, "works", patch)
            await until("the last wish", lambda: seen("works") == "29")
            await client.delete(maps, namespace, "works")
            await until("its end", lambda: not reflector.store.get(namespace, "works"))
            assert seen("hangs") == "0"
            assert controller.longest_run_s > 0
            await until("only that one at work", lambda: controller.queue.running == 1)
            work.cancel()
            await asyncio.wait([work], timeout=30)
            assert work.cancelled()
        go_on.set()

    play(scenario, straight)


def test_at_rest_only_the_lease_is_renewed(
    proxy: "FaultProxy", through: str, namespace: str, table: Callable[[str, str], None]
) -> None:
    from operators.drift.runtime import Controller, Elector, Reflector, Resource

    maps = Resource("", "v1", "ConfigMap", "configmaps")
    secrets = Resource("", "v1", "Secret", "secrets")

    async def scenario(client: "Client") -> None:
        elector = Elector(
            client,
            namespace,
            "l",
            lease_s=LONG_LEASE_S,
            renew_deadline_s=100,
            retry_s=0.5,
            leave=lambda _: None,
        )
        outages: list[None] = []
        client.on_outage(lambda: outages.append(None))
        reflectors = [Reflector(client, kind, namespace=namespace) for kind in (maps, secrets)]
        controller = Controller("nothing", lambda namespace, name: None)
        for reflector in reflectors:
            controller.watch(reflector)
        async with running(*(each.run() for each in reflectors), elector.lead(controller.run)):
            await until("a start", lambda: proxy.count("GET", "watch=1") >= 2 and elector.leading)
            for _ in range(5):  # a call that a busy machine leaves unanswered opens watches anew
                lost, before, held = len(outages), len(proxy.calls), proxy.count("PUT", "/leases/")
                await until("renewals", lambda held=held: proxy.count("PUT", "/leases/") >= held + 10)
                rest = {(call.method, call.path.rsplit("/", 2)[1]) for call in proxy.calls[before:]}
                if len(outages) == lost:
                    break
            assert rest == {("PUT", "leases")}
            table("at rest", "renewals of the lease and open watches, no other call")

    play(scenario, through)


def test_own_reports_do_not_wake_their_writer() -> None:
    from operators.drift.runtime import Key, own_key, own_key_when_told

    old = {"metadata": {"name": "a", "namespace": "n", "uid": "u", "generation": 1}, "status": {}}
    reported = {**old, "status": {"phase": "Idle"}}
    told = {**old, "metadata": {**old["metadata"], "annotations": {"act": "abort"}}}  # type: ignore[dict-item]
    assert not own_key_when_told(old, reported)
    assert list(own_key_when_told(old, told)) == [Key("n", "a")]
    assert list(own_key_when_told(None, old)) == [Key("n", "a")]
    assert list(own_key_when_told(old, None)) == [Key("n", "a")]
    assert list(own_key(old, reported)) == [Key("n", "a")]
