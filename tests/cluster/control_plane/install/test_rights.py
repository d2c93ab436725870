"""The operator as its own service account: it may do all that it does, and nothing that it does not do.

Every right is seen used in the API server's audit log: none is taken on trust.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from operators.drift.rbac import NAME, RULES, namespaced
from tests.cluster.control_plane.leases import LONG_LEASE
from trimtab.ports.cluster import Kind

ROOT = Path(__file__).resolve().parents[4]
ROLLOUT = Kind("trimtab.dev", "v1alpha1", "ModelRollout", "modelrollouts")
MONITOR = Kind("trimtab.dev", "v1alpha1", "DriftMonitor", "driftmonitors")
POLICY = Kind("trimtab.dev", "v1alpha1", "RetrainPolicy", "retrainpolicies")
JOB = Kind("batch", "v1", "Job", "jobs")
SERVER = Kind("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
NAME_TAKEN = ("serving.kserve.io", "inferenceservices", "get")
"""What is asked where an object of a revision's name is there already, and not ours."""
WITHIN_S = 90.0
UPSTREAM = "com.example.upstream.changed"
PREDICTOR = {"containers": [{"name": "kserve-container", "image": "x"}]}
BUNDLE = "s3://bundles/flights-" + "e" * 64 + ".tar.gz"


def rollout(namespace, version):
    return {
        "apiVersion": "trimtab.dev/v1alpha1",
        "kind": "ModelRollout",
        "metadata": {"name": "flights", "namespace": namespace},
        "spec": {
            "model": {"uri": f"s3://models/{version}", "version": version, "digest": f"0{version}" * 32},
            "modelName": "flights",
            "serviceAccountName": "default",
            "serving": {"template": {"predictor": PREDICTOR}},
            "route": {
                "parentRefs": [{"name": "public", "namespace": "gateways"}],
                "hostnames": [f"{namespace}.example.com"],
            },
            "strategy": {
                "steps": [{"name": "sign-off", "approval": {}}], "keepPrevious": "1s",
                "warmUp": {"requests": 0, "timeout": "5m"},
            },
            "checks": [],
        },
    }  # fmt: skip


def watchers(namespace):
    """A monitor of the rollout, and a policy that is due each minute."""
    meta = {"name": "flights", "namespace": namespace}
    yield {
        "apiVersion": "trimtab.dev/v1alpha1", "kind": "DriftMonitor", "metadata": meta,
        "spec": {"target": {"rolloutRef": "flights"}},
    }  # fmt: skip
    yield {
        "apiVersion": "trimtab.dev/v1alpha1", "kind": "RetrainPolicy", "metadata": meta,
        "spec": {
            "pipeline": {"job": {"image": "x"}, "project": BUNDLE, "serviceAccountName": "default"},
            "target": {"rolloutRef": "flights"},
            "triggers": [
                {"name": "often", "schedule": {"cron": "* * * * *"}},
                {"name": "upstream", "event": {"type": UPSTREAM}},
            ],
            "guards": {"cooldown": "1s", "maxPerDay": 20},
        },
    }  # fmt: skip


@pytest.fixture
def installed(own_control_plane, tmp_path):
    """(cluster, namespace, how the operator logs in): its roles are those of the table, its account has no other."""
    from tests.cluster.kube.manifests import install
    from tests.cluster.kube.modules import gateway_api_crds, kserve_crds
    from tests.cluster.kube.namespaces import fresh
    from tests.cluster.kube.rbac import EVERYTHING, await_rights, grant, service_account

    cluster = own_control_plane.cluster
    install(cluster, [ROOT / "manifests" / "crds", *gateway_api_crds(), *kserve_crds()])
    with fresh(cluster) as namespace:
        meta = {"name": NAME, "namespace": namespace}
        cluster.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
        own = namespaced([namespace], namespace)
        for obj in own:
            cluster.create(obj)
        for role in own:
            where = {"ClusterRole": "", "Role": namespace}.get(role["kind"])
            if where is not None:
                await_rights(cluster, where, service_account(namespace, NAME), role["rules"])
        grant(cluster, namespace, "writers", service_account(namespace, "default"), EVERYTHING)
        yield (
            cluster,
            namespace,
            own_control_plane.account(namespace, NAME).write(tmp_path / "operator.kubeconfig"),
        )


def test_no_rule_is_missing_and_none_is_unused(installed, own_control_plane, tmp_path):
    from tests.cluster.control_plane.operator.players import Players, served_models
    from tests.cluster.kube.poll import eventually

    cluster, namespace, kubeconfig = installed
    user = f"system:serviceaccount:{namespace}:{NAME}"

    def by_operator():
        return [call for call in own_control_plane.calls() if call["user"]["username"] == user]

    def rights():
        return {right(call) for call in by_operator()}

    def fence():
        return cluster.read(NETWORK_POLICY, namespace, "trimtab-collector")

    players = Players(cluster, namespace)
    players.start()
    try:
        with served_models() as port:
            with operator(tmp_path, namespace, kubeconfig, port, fenced=True):
                live_through(cluster, namespace, eventually, rights)
                post(tmp_path, namespace, own_control_plane.account(namespace, "default").credentials)
                assert fence() is not None
            with operator(tmp_path, namespace, kubeconfig, port, fenced=False):
                eventually("the fence that is not wished for is gone", lambda: fence() is None, WITHIN_S)
                end(cluster, namespace, eventually)
    finally:
        players.stop()
    asyncio.run(say_again(cluster, namespace, kubeconfig))
    calls = by_operator()
    refused = {right(call) for call in calls if call.get("responseStatus", {}).get("code") == 403}
    used = rights() | {made(call) for call in calls if creates(call)}
    held = {
        (rule.group, resource, verb) for rule in RULES for resource in rule.resources for verb in rule.verbs
    }
    assert refused == set(), log_of(tmp_path)
    unused = held - used
    assert not unused, "\n".join(map(str, sorted(unused)))


@contextmanager
def operator(folder, namespace, kubeconfig, port, *, fenced):
    """The operator as a process that ends well; its log is operator.log, begun anew."""
    config, lease = folder / "config.yaml", json.dumps({"namespace": namespace, **LONG_LEASE})
    fence = f"networkPolicy: {str(fenced).lower()}"
    config.write_text(
        f"namespaces: [{namespace}]\nlease: {lease}\nsettle: 1s\ntick: 1s\n"
        "listen: {host: 127.0.0.1, port: 0}\n"
        f"cache: {folder}/cache\ncollector: {{image: x, storage: '', address: 'http://127.0.0.1:9', {fence}}}\n"
        f"services: 'http://127.0.0.1:{port}/{{namespace}}/{{service}}'\n"
    )
    with (folder / "operator.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "operators.drift", "--config", config, "--kubeconfig", kubeconfig],
            cwd=ROOT, stdout=log, stderr=log, env=dict(os.environ),
        )  # fmt: skip
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            ended = process.wait(120)
    assert ended == 0, log_of(folder)


def live_through(cluster, namespace, eventually, asked):
    """A first revision, a second one whose name is taken at first and that is approved, a policy's run."""

    def status(kind=ROLLOUT):
        return (cluster.read(kind, namespace, "flights") or {}).get("status") or {}

    cluster.create(rollout(namespace, "1"))
    eventually("v1 serves", lambda: (status().get("stable") or {}).get("version") == "1", WITHIN_S)
    for obj in watchers(namespace):
        cluster.create(obj)
    taken = foreign(namespace, rollout(namespace, "2"))
    cluster.create(taken)
    cluster.apply(rollout(namespace, "2"))
    eventually("v2's name is taken", lambda: asked() & {NAME_TAKEN}, WITHIN_S, every_s=0.5)
    cluster.delete(SERVER, namespace, taken["metadata"]["name"])
    eventually("v2 waits", lambda: status().get("phase") == "AwaitingApproval", WITHIN_S)
    act = {
        "id": "1", "verb": "approve", "revision": status()["candidate"]["revision"], "step": "sign-off", "by": "admin",
    }  # fmt: skip
    cluster.merge(
        ROLLOUT, namespace, "flights", {"metadata": {"annotations": {"trimtab.dev/act": json.dumps(act)}}}
    )
    eventually("v2 serves", lambda: (status().get("stable") or {}).get("version") == "2", WITHIN_S)
    eventually("a run was asked for", lambda: cluster.list(JOB, namespace), 300)
    eventually("the monitor was looked at", lambda: status(MONITOR).get("conditions"), WITHIN_S)


def end(cluster, namespace, eventually):
    for kind in (POLICY, MONITOR, ROLLOUT):
        cluster.delete(kind, namespace, "flights")
    eventually("the rollout is gone", lambda: cluster.read(ROLLOUT, namespace, "flights") is None, WITHIN_S)


def foreign(namespace, wished):
    """Somebody else's InferenceService by the name of a rollout's next revision."""
    from trimtab.adapters.kserve import template_text
    from trimtab.rollout import revision_id

    spec = wished["spec"]
    revision = revision_id(
        spec["model"]["digest"], spec["modelName"], template_text(spec["serving"]["template"])
    )
    return {
        "apiVersion": SERVER.api_version,
        "kind": SERVER.kind,
        "metadata": {"name": f"flights-{revision}", "namespace": namespace},
        "spec": {"predictor": PREDICTOR},
    }


def post(folder, namespace, token):
    """An event from upstream, with the token of one of the namespace's accounts."""
    import httpx

    lines = (folder / "operator.log").read_text().splitlines(keepends=True)
    told = [json.loads(line) for line in lines if line.endswith("}\n")]
    port = next(line["port"] for line in told if "port" in line)
    answer = httpx.post(
        f"http://127.0.0.1:{port}/v1/namespaces/{namespace}/events",
        headers={"Authorization": f"Bearer {token}", "ce-id": "n-1", "ce-type": UPSTREAM},
        timeout=20,
        trust_env=False,
    )
    assert answer.status_code == 202, answer.text


async def say_again(cluster, namespace, kubeconfig):
    """What is said again after five minutes goes into the series of its Event: by a clock of the test's."""
    from operators.drift.reporting import SERIES_EVERY_S, Reporter
    from operators.drift.runtime import Client
    from tests.cluster.kube.poll import eventually
    from trimtab.adapters.kubernetes.kinds import EVENT

    now = 0.0
    about = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flights", "namespace": namespace}}

    def series():
        found = [one for one in cluster.list(EVENT, namespace) if one["reason"] == "SaidAgain"]
        return [(one.get("series") or {}).get("count", 1) for one in found]

    async with await Client.connect(str(kubeconfig)) as client:
        reporter = Reporter(client, asyncio.get_running_loop(), "test", clock_s=lambda: now)
        for count in (1, 2):
            reporter.report(about, "SaidAgain", "the same words")
            await asyncio.to_thread(
                eventually, "it is said", lambda count=count: series() == [count], WITHIN_S
            )
            now += SERIES_EVERY_S + 1


def creates(call):
    """A server-side apply that made its object: the API server asks for the right to create it, too."""
    return call["verb"] == "patch" and call.get("responseStatus", {}).get("code") == 201


def made(call):
    group, resource, _ = right(call)
    return group, resource, "create"


def right(call):
    about = call.get("objectRef") or {}
    resource = about.get("resource", "")
    if about.get("subresource"):
        resource += "/" + about["subresource"]
    if "impersonatedUser" in call:
        return "", "serviceaccounts", "impersonate"
    return about.get("apiGroup", ""), resource, call["verb"]


def log_of(folder):
    return (folder / "operator.log").read_text()[-4000:]
