"""Each verb against a real API server, and each way in which it, or the way to it, fails."""

from typing import TYPE_CHECKING

import pytest

from tests.cluster.control_plane.runtime.scenario import config_map, play

if TYPE_CHECKING:
    from operators.drift.runtime import Call, Client
    from tests.cluster.kube.control_plane import ControlPlane
    from tests.cluster.kube.fault_proxy import FaultProxy

pytestmark = pytest.mark.xdist_group("control-plane-runtime")


def test_every_verb_does_what_it_says(straight: str, namespace: str) -> None:
    from operators.drift.runtime import AlreadyExists, Conflict, Invalid, NotFound, Resource
    from operators.drift.runtime.errors import NotInstalled

    maps = Resource("", "v1", "ConfigMap", "configmaps")

    async def scenario(client: "Client") -> None:
        made = await client.create(maps, config_map(namespace, "one", a="1"))
        with pytest.raises(AlreadyExists):
            await client.create(maps, config_map(namespace, "one"))
        dry = await client.create(maps, config_map(namespace, "dry"), dry_run=True)
        assert dry["metadata"]["uid"]
        with pytest.raises(NotFound):
            await client.get(maps, namespace, "dry")

        changed = await client.replace(maps, {**made, "data": {"a": "2"}})
        with pytest.raises(Conflict):
            await client.replace(maps, {**made, "data": {"a": "3"}})
        with pytest.raises(ValueError, match="resourceVersion"):
            await client.replace(maps, config_map(namespace, "one"))
        assert int(changed["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])

        applied = await client.apply(maps, config_map(namespace, "one", b="2"), manager="tester")
        assert applied["data"] == {"a": "2", "b": "2"}
        other = config_map(namespace, "one", b="other")
        with pytest.raises(Conflict):
            await client.apply(maps, other, manager="somebody", force=False)

        patched = await client.merge_patch(maps, namespace, "one", {"data": {"a": None}})
        assert patched["data"] == {"b": "2"}
        with pytest.raises(Invalid):
            await client.merge_patch(maps, namespace, "one", {"data": {"a": {"not": "text"}}})

        with pytest.raises(Conflict):
            await client.delete(maps, namespace, "one", uid="another")
        await client.delete(maps, namespace, "one", uid=patched["metadata"]["uid"])
        with pytest.raises(NotFound) as gone:
            await client.delete(maps, namespace, "one")
        assert not isinstance(gone.value, NotInstalled)

        with pytest.raises(NotInstalled):
            await client.list(Resource("nobody.dev", "v1", "Nothing", "nothings"))
        assert await client.installed(maps)
        assert not await client.installed(Resource("nobody.dev", "v1", "Nothing", "nothings"))
        assert (await client.raw("/version"))["major"] == "1"

    play(scenario, straight)


def test_a_list_comes_whole_in_pages(straight: str, namespace: str) -> None:
    from operators.drift.runtime import Resource

    maps = Resource("", "v1", "ConfigMap", "configmaps")

    async def scenario(client: "Client") -> None:
        for number in range(7):
            await client.create(maps, config_map(namespace, f"n{number}"))
        wanted = {"made-by": "test"}
        seen, page = [], await client.list_page(maps, namespace, limit=3, labels=wanted)
        seen += page.items
        while page.continue_from:
            page = await client.list_page(
                maps, namespace, limit=3, labels=wanted, continue_from=page.continue_from
            )
            seen += page.items
        assert [each["metadata"]["name"] for each in seen] == [f"n{number}" for number in range(7)]
        assert {each["kind"] for each in seen} == {"ConfigMap"}
        assert len(await client.list(maps, namespace, labels=wanted)) == 7

    play(scenario, straight)


def test_impersonation_counts_and_refusals_are_of_the_user_that_was_named(
    straight: str, namespace: str
) -> None:
    from operators.drift.runtime import Forbidden, Resource

    maps = Resource("", "v1", "ConfigMap", "configmaps")
    calls: list[Call] = []

    async def scenario(client: "Client") -> None:
        nobody = f"system:serviceaccount:{namespace}:default"
        with pytest.raises(Forbidden, match=nobody):
            await client.create(maps, config_map(namespace, "one"), user=nobody)
        await client.create(maps, config_map(namespace, "one"))
        assert [(call.verb, call.status, call.user) for call in calls] == [
            ("create", 403, nobody),
            ("create", 201, ""),
        ]

    play(scenario, straight, on_call=calls.append)


def test_what_the_api_server_warns_of_is_passed_on(straight: str, namespace: str) -> None:
    from operators.drift.runtime import Resource

    warnings: list[str] = []
    pods = Resource("", "v1", "Pod", "pods")
    old = "seccomp.security.alpha.kubernetes.io/pod"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": namespace, "annotations": {old: "runtime/default"}},
        "spec": {"containers": [{"name": "c", "image": "i", "env": [{"name": "A"}, {"name": "A"}]}]},
    }

    async def scenario(client: "Client") -> None:
        await client.create(pods, pod, dry_run=True)
        assert warnings

    play(scenario, straight, on_warning=warnings.append)


def test_each_fault_has_its_type(proxy: "FaultProxy", through: str, namespace: str) -> None:
    from operators.drift.runtime import Conflict, Expired, Resource, TooManyRequests, Unavailable

    maps = Resource("", "v1", "ConfigMap", "configmaps")

    async def scenario(client: "Client") -> None:
        for status, error in ((409, Conflict), (410, Expired), (429, TooManyRequests), (500, Unavailable)):
            proxy.answer("GET", "/configmaps/", status, retry_after_s=7, times=1)
            with pytest.raises(error) as raised:
                await client.get(maps, namespace, "one")
            assert (raised.value.status, raised.value.retry_after_s) == (status, 7)

        proxy.hang("POST", "/configmaps")
        with pytest.raises(Unavailable) as silent:
            await client.create(maps, config_map(namespace, "one"))
        assert silent.value.maybe_sent

        proxy.lose_answer("POST", "/configmaps")
        with pytest.raises(Unavailable) as lost:
            await client.create(maps, config_map(namespace, "one"))
        assert lost.value.maybe_sent
        assert await client.get(maps, namespace, "one")

        proxy.refuse()
        with pytest.raises(
            Unavailable
        ):  # on the connection that was kept, which may have closed after the request
            await client.get(maps, namespace, "one")
        with pytest.raises(Unavailable) as refused:
            await client.create(maps, config_map(namespace, "two"))
        assert not refused.value.maybe_sent
        proxy.accept()
        await client.create(maps, config_map(namespace, "two"))

    play(scenario, through, timeout_s=5.0)


def test_a_token_that_was_rotated_is_read_again(
    control_plane: "ControlPlane", namespace: str, tmp_path
) -> None:  # type: ignore[no-untyped-def]
    """As a pod's: the file changes under us, and the old token is refused."""
    import json

    from operators.drift.runtime import Resource

    kubeconfig, token = tmp_path / "kubeconfig", tmp_path / "token"
    good = control_plane.account(namespace, "default").credentials
    control_plane.admin.write(kubeconfig)
    config = json.loads(kubeconfig.read_text())
    config["users"][0]["user"] = {"tokenFile": str(token)}
    kubeconfig.write_text(json.dumps(config))
    token.write_text("not.a.token")

    async def scenario(client: "Client") -> None:
        token.write_text(str(good))
        found = await client.raw("/version")
        assert found["major"] == "1"
        reviews = Resource("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", False)
        review = {
            "apiVersion": reviews.api_version,
            "kind": reviews.kind,
            "metadata": {"name": "me", "namespace": ""},
        }
        me = await client.create(reviews, review)
        assert me["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:default"

    play(scenario, str(kubeconfig))
