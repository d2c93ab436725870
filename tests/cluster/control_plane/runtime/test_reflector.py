"""A cache stays equal to what the API server holds, whatever stands between them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.control_plane.runtime.scenario import config_map, names, play, running, until

if TYPE_CHECKING:
    from operators.drift.runtime import Client, Object
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.fault_proxy import FaultProxy

pytestmark = pytest.mark.xdist_group("control-plane-runtime")

CONVERGES_WITHIN_S = 60.0 * 3
"""Three times what is promised; the figures that are printed are far below."""

FAULTS: dict[str, Callable[["FaultProxy"], None]] = {
    "a watch cut in the middle of a line": lambda proxy: (proxy.cut("watch=1", times=3), proxy.cut_all())[1],
    "410 in the stream, again and again": lambda proxy: (proxy.expire("watch=1", times=3), proxy.cut_all())[
        1
    ],
    "410 to the watch": lambda proxy: (proxy.answer("GET", "watch=1", 410, times=2), proxy.cut_all())[1],
    "410 to a list's later page": lambda proxy: (
        proxy.answer("GET", "continue=", 410, times=1),
        proxy.expire("watch=1"),
        proxy.cut_all(),
    )[2],
    "429 with Retry-After": lambda proxy: (
        proxy.answer("GET", "/configmaps", 429, retry_after_s=1, times=3),
        proxy.cut_all(),
    )[1],
    "500": lambda proxy: (proxy.answer("GET", "/configmaps", 500, times=4), proxy.cut_all())[1],
    "lists and watches that hang": lambda proxy: (
        proxy.hang("GET", "/configmaps", times=2),
        proxy.cut_all(),
    )[1],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_changed_during_a_fault_is_noticed(
    fault: str,
    proxy: "FaultProxy",
    through: str,
    straight: str,
    namespace: str,
    table: Callable[[str, str], None],
) -> None:
    """An object is made, one changed and one deleted while the cache cannot see: it ends up right, and says so."""
    from operators.drift.runtime import Client, Reflector, Resource

    maps = Resource("", "v1", "ConfigMap", "configmaps")

    async def scenario(client: "Client") -> None:
        async with await Client.connect(straight) as sure:
            reflector = Reflector(client, maps, namespace=namespace, page=2)
            changes: list[tuple[Object | None, Object | None]] = []
            reflector.subscribe(lambda old, new: changes.append((old, new)))
            for name in ("changed", "deleted", "same"):
                await sure.create(maps, config_map(namespace, name, a="1"))
            async with running(reflector.run()):
                assert await reflector.wait_synced(30)
                loop = asyncio.get_running_loop()
                started = loop.time()
                FAULTS[fault](proxy)
                await sure.merge_patch(maps, namespace, "changed", {"data": {"a": "2"}})
                await sure.delete(maps, namespace, "deleted")
                await sure.create(maps, config_map(namespace, "made"))

                def right() -> bool:
                    changed = reflector.store.get(namespace, "changed")
                    return names(reflector) == ["changed", "made", "same"] and changed["data"] == {"a": "2"}  # type: ignore[index]

                await until(fault, right, CONVERGES_WITHIN_S)
                table(fault, f"converged after {loop.time() - started:.1f} s")
                gone = [old for old, new in changes if new is None]
                assert [each["metadata"]["name"] for each in gone if each] == ["deleted"]

    play(scenario, through, timeout_s=2.0)


def test_a_black_hole_is_noticed_by_any_call_and_the_watch_goes_on_after_it(
    proxy: "FaultProxy", through: str, straight: str, namespace: str, table: Callable[[str, str], None]
) -> None:
    """The old connection never says that it is dead; a lease's renewal, which gets no answer, does."""
    from operators.drift.runtime import Client, Elector, Reflector, Resource

    maps = Resource("", "v1", "ConfigMap", "configmaps")

    async def scenario(client: "Client") -> None:
        async with await Client.connect(straight) as sure:
            reflector = Reflector(client, maps, namespace=namespace, quiet_s=3600)  # silence tells nothing
            elector = Elector(
                client, namespace, "l", lease_s=300, renew_deadline_s=290, retry_s=1, leave=print
            )

            async def work() -> None:
                await asyncio.Event().wait()

            async with running(reflector.run(), elector.lead(work)):
                await until("leading", lambda: elector.leading)
                assert await reflector.wait_synced(30)
                proxy.black_hole()
                await sure.create(maps, config_map(namespace, "made"))
                await until(
                    "suspicion", lambda: proxy.count("PUT", "/leases/") and not proxy.calls[-1].status
                )
                assert "made" not in names(reflector)
                proxy.heal()
                healed = asyncio.get_running_loop().time()
                await until("the cache", lambda: "made" in names(reflector), CONVERGES_WITHIN_S)
                took = asyncio.get_running_loop().time() - healed
                table("black hole", f"converged {took:.1f} s after its end")

    play(scenario, through, timeout_s=2.0)


def test_a_bookmark_moves_the_watch_on_while_nothing_of_ours_changes(
    proxy: "FaultProxy", through: str, straight: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An API server sends one two seconds before a watch ends: the next watch begins there, without a list."""
    from operators.drift.runtime import Client, Reflector, Resource

    maps = Resource("", "v1", "ConfigMap", "configmaps")
    monkeypatch.setattr("operators.drift.runtime.reflector.uniform", lambda low, high: 5.0)

    async def scenario(client: "Client") -> None:
        async with await Client.connect(straight) as sure:
            await sure.create(maps, config_map(namespace, "kept"))
            reflector = Reflector(client, maps, namespace=namespace, labels={"made-by": "test"})
            async with running(reflector.run()):
                assert await reflector.wait_synced(30)
                await until("a watch", lambda: begun(proxy))
                listed = begun(proxy)[0]
                metadata = {"name": "of-others", "namespace": namespace}
                other = await sure.create(
                    maps, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
                )
                version = int(other["metadata"]["resourceVersion"])
                assert version > listed
                await until("a later watch", lambda: begun(proxy)[-1] >= version, CONVERGES_WITHIN_S)
                assert names(reflector) == ["kept"]
                await sure.create(maps, config_map(namespace, "made"))
                await until("what comes after", lambda: names(reflector) == ["kept", "made"])
                assert reflector.lists == 1

    play(scenario, through, timeout_s=2.0)


def begun(proxy: "FaultProxy") -> list[int]:
    """Where each watch began."""
    from urllib.parse import parse_qs

    watches = [parse_qs(call.query) for call in list(proxy.calls) if "watch=1" in call.query]
    return [int(query["resourceVersion"][0]) for query in watches]


def test_a_watch_that_is_silent_for_too_long_is_opened_anew(
    proxy: "FaultProxy", through: str, straight: str, namespace: str
) -> None:
    from operators.drift.runtime import Client, Reflector, Resource

    maps = Resource("", "v1", "ConfigMap", "configmaps")

    async def scenario(client: "Client") -> None:
        async with await Client.connect(straight) as sure:
            reflector = Reflector(client, maps, namespace=namespace, quiet_s=1.5)
            async with running(reflector.run()):
                assert await reflector.wait_synced(30)
                await until("a watch", lambda: proxy.count("GET", "watch=1"))
                proxy.black_hole()
                await sure.create(maps, config_map(namespace, "made"))
                proxy.heal()
                await until("the cache", lambda: "made" in names(reflector), CONVERGES_WITHIN_S)
                assert reflector.lists == 1

    play(scenario, through, timeout_s=2.0)


@pytest.mark.parametrize("victim", ["apiserver", "etcd"])
def test_a_restarted_control_plane_is_followed(
    victim: str, own_control_plane: "ControlPlane", table: Callable[[str, str], None]
) -> None:
    from operators.drift.runtime import Reflector, Resource

    maps = Resource("", "v1", "ConfigMap", "configmaps")

    async def scenario(client: "Client") -> None:
        reflector = Reflector(client, maps, namespace="default", labels={"made-by": "test"})
        for name in ("kept", "deleted"):
            await client.create(maps, config_map("default", name))
        async with running(reflector.run()):
            await until("both", lambda: names(reflector) == ["deleted", "kept"])
            process = getattr(own_control_plane, victim)
            process.kill()
            process.start()
            own_control_plane.wait_until_ready()
            ended = asyncio.get_running_loop().time()
            own_control_plane.cluster.call("DELETE", "/api/v1/namespaces/default/configmaps/deleted")
            own_control_plane.cluster.create(config_map("default", "made"))
            await until("the cache", lambda: names(reflector) == ["kept", "made"], CONVERGES_WITHIN_S)
            took = asyncio.get_running_loop().time() - ended
            table(f"{victim} killed and started", f"converged {took:.1f} s after it was ready")

    play(scenario, str(own_control_plane.kubeconfig), timeout_s=2.0)


def test_a_kind_that_comes_later_is_taken_up_and_one_that_goes_is_let_go(
    straight: str, namespace: str
) -> None:
    from operators.drift.runtime import Reflector, Resource

    kinds = Resource(
        "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False
    )
    group = f"{namespace}.example.com"
    things = Resource(group, "v1", "Thing", "things")

    async def scenario(client: "Client") -> None:
        reflector = Reflector(client, things, absent_poll_s=0.5)
        async with running(reflector.run()):
            assert await reflector.wait_synced(30)
            assert not reflector.installed
            await client.create(kinds, crd(group))
            await until("the kind", lambda: reflector.installed)
            thing = {
                "apiVersion": f"{group}/v1",
                "kind": "Thing",
                "metadata": {"name": "t", "namespace": namespace},
            }
            await client.create(things, thing)
            await until("the object", lambda: names(reflector) == ["t"])
            await client.delete(kinds, "", f"things.{group}")
            await until("no object", lambda: not names(reflector))
            await until("no kind", lambda: not reflector.installed)

    play(scenario, straight)


def test_own_writes_are_read_at_once(straight: str, namespace: str) -> None:
    """From a thread, as handlers do: a hundred times written and read back, the cache is never behind."""
    from operators.drift.runtime import Object, Reflector, Resource, waited

    maps = Resource("", "v1", "ConfigMap", "configmaps")

    async def scenario(client: "Client") -> None:
        reflector = Reflector(client, maps, namespace=namespace)
        loop = asyncio.get_running_loop()

        async def kept(writing: Coroutine[Any, Any, Object]) -> None:
            reflector.assume(await writing)

        async def gone(held: Object) -> None:
            await client.delete(maps, namespace, held["metadata"]["name"], uid=held["metadata"]["uid"])
            reflector.assume_deleted(held)

        def write_and_read() -> None:
            for number in range(100):
                made = config_map(namespace, f"n{number}", a="0")
                waited(kept(client.create(maps, made)), loop, 15)
                held = reflector.store.get(namespace, f"n{number}")
                assert held is not None
                assert "managedFields" not in held["metadata"]
                waited(kept(client.replace(maps, {**held, "data": {"a": "1"}})), loop, 15)
                changed = reflector.store.get(namespace, f"n{number}")
                assert changed is not None
                assert changed["data"] == {"a": "1"}
                waited(gone(changed), loop, 15)
                assert reflector.store.get(namespace, f"n{number}") is None

        async with running(reflector.run()):
            assert await reflector.wait_synced(30)
            await asyncio.to_thread(write_and_read)
            assert names(reflector) == []
            with pytest.raises(RuntimeError, match="own thread"):
                waited(client.get(maps, namespace, "n1"), loop, 15)

    play(scenario, straight)


def crd(group: str) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
