"""The operator as its own service account: it may do all that it does, and nothing that it does not do."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from operators.drift.rbac import NAME, RULES, namespaced
from trimtab.ports.cluster import Kind

ROOT = Path(__file__).resolve().parents[4]
ROLLOUT = Kind("trimtab.dev", "v1alpha1", "ModelRollout", "modelrollouts")
MONITOR = Kind("trimtab.dev", "v1alpha1", "DriftMonitor", "driftmonitors")
POLICY = Kind("trimtab.dev", "v1alpha1", "RetrainPolicy", "retrainpolicies")
JOB = Kind("batch", "v1", "Job", "jobs")
WITHIN_S = 90.0
RUNTIMES = "a template with a model format, whose runtime is looked up (tests of adapters.kserve)"
MADE = "server-side apply asks for it where the object is made; the audit log says patch"
ELSEWHERE = {
    ("", "services", "create"): MADE,
    ("apps", "statefulsets", "create"): MADE,
    ("authentication.k8s.io", "tokenreviews", "create"): "an event that is posted (tests of handlers)",
    ("events.k8s.io", "events", "patch"): "the same event again and again (a series)",
    ("serving.kserve.io", "inferenceservices", "get"): "a revision's name that is taken already",
    ("serving.kserve.io", "clusterservingruntimes", "get"): RUNTIMES,
    ("serving.kserve.io", "clusterservingruntimes", "list"): RUNTIMES,
    ("serving.kserve.io", "servingruntimes", "get"): RUNTIMES,
    ("serving.kserve.io", "servingruntimes", "list"): RUNTIMES,
}
"""Rights that this life of a rollout does not reach, with where they are used."""
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
            "serving": {"template": {"predictor": {"containers": [{"name": "kserve-container", "image": "x"}]}}},
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
            "triggers": [{"name": "often", "schedule": {"cron": "* * * * *"}}],
            "guards": {"cooldown": "1s", "maxPerDay": 20},
        },
    }  # fmt: skip


@pytest.fixture
def installed(own_control_plane, tmp_path):
    """(cluster, namespace, how the operator logs in): its roles are those of the table, its account has no other."""
    from tests.cluster.kube.manifests import install
    from tests.cluster.kube.modules import gateway_api_crds, kserve_crds
    from tests.cluster.kube.namespaces import fresh

    cluster = own_control_plane.cluster
    install(cluster, [ROOT / "manifests" / "crds", *gateway_api_crds(), *kserve_crds()])
    with fresh(cluster) as namespace:
        meta = {"name": NAME, "namespace": namespace}
        cluster.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
        for obj in namespaced([namespace], namespace):
            cluster.create(obj)
        cluster.create(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "writers", "namespace": namespace},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": "cluster-admin",
                },
                "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
            }
        )
        yield (
            cluster,
            namespace,
            own_control_plane.account(namespace, NAME).write(tmp_path / "operator.kubeconfig"),
        )


def test_no_rule_is_missing_and_none_is_unused(installed, own_control_plane, tmp_path):
    from tests.cluster.control_plane.operator.players import Players, served_models
    from tests.cluster.kube.poll import eventually

    cluster, namespace, kubeconfig = installed
    players = Players(cluster, namespace)
    players.start()
    log = (tmp_path / "operator.log").open("wb")
    with served_models() as port:
        config = tmp_path / "config.yaml"
        config.write_text(
            f"namespaces: [{namespace}]\nlease: {{namespace: {namespace}}}\nsettle: 1s\ntick: 1s\n"
            "listen: {host: 127.0.0.1, port: 0}\n"
            f"cache: {tmp_path}/cache\ncollector: {{image: x, storage: '', address: 'http://127.0.0.1:9'}}\n"
            f"services: 'http://127.0.0.1:{port}/{{namespace}}/{{service}}'\n"
        )
        operator = subprocess.Popen(
            [sys.executable, "-m", "operators.drift", "--config", config, "--kubeconfig", kubeconfig],
            cwd=ROOT, stdout=log, stderr=log, env=dict(os.environ),
        )  # fmt: skip
        try:
            live_through(cluster, namespace, eventually)
        finally:
            operator.send_signal(signal.SIGTERM)
            ended = operator.wait(20)
            players.stop()
            log.close()
    assert ended == 0, log_of(tmp_path)
    user = f"system:serviceaccount:{namespace}:{NAME}"
    calls = [call for call in own_control_plane.calls() if call["user"]["username"] == user]
    refused = {right(call) for call in calls if call.get("responseStatus", {}).get("code") == 403}
    used = {right(call) for call in calls} | {
        ("", "serviceaccounts", "impersonate") for call in calls if "impersonatedUser" in call
    }
    held = {
        (rule.group, resource, verb) for rule in RULES for resource in rule.resources for verb in rule.verbs
    }
    assert refused == set(), log_of(tmp_path)
    unused = held - used - set(ELSEWHERE)
    assert not unused, "\n".join(map(str, sorted(unused)))
    assert not set(ELSEWHERE) & used


def live_through(cluster, namespace, eventually):
    """A first revision, a second one that is approved, a policy's run, and the end of it all."""

    def status(kind=ROLLOUT):
        return (cluster.read(kind, namespace, "flights") or {}).get("status") or {}

    cluster.create(rollout(namespace, "1"))
    eventually("v1 serves", lambda: (status().get("stable") or {}).get("version") == "1", WITHIN_S)
    for obj in watchers(namespace):
        cluster.create(obj)
    cluster.apply(rollout(namespace, "2"))
    eventually("v2 waits", lambda: status().get("phase") == "AwaitingApproval", WITHIN_S)
    act = {
        "id": "1", "verb": "approve", "revision": status()["candidate"]["revision"], "step": "sign-off", "by": "admin",
    }  # fmt: skip
    cluster.merge(
        ROLLOUT, namespace, "flights", {"metadata": {"annotations": {"trimtab.dev/act": json.dumps(act)}}}
    )
    eventually("v2 serves", lambda: (status().get("stable") or {}).get("version") == "2", WITHIN_S)
    eventually("a run was asked for", lambda: cluster.list(JOB, namespace), 100)
    eventually("the monitor was looked at", lambda: status(MONITOR).get("conditions"), WITHIN_S)
    for kind in (POLICY, MONITOR, ROLLOUT):
        cluster.delete(kind, namespace, "flights")
    eventually("the rollout is gone", lambda: cluster.read(ROLLOUT, namespace, "flights") is None, WITHIN_S)


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
