"""`kubectl trimtab` through a real kubectl, on a real API server."""

import json

import pytest

STABLE = {"revision": "aaaaaaaa", "version": "1", "uri": "pvc://models/v1", "digest": "a" * 64}
CANDIDATE = {"revision": "bbbbbbbb", "version": "2", "uri": "pvc://models/v2", "digest": "b" * 64}
T = "2026-06-01T00:00:00Z"


@pytest.fixture
def rollout(cluster, trimtab_crds, namespace):
    """Sets the status of rollout `flights` of the namespace; returns (namespace, set)."""
    from trimtab.ports.cluster import Kind

    kind = Kind("trimtab.dev", "v1alpha1", "ModelRollout", "modelrollouts")
    cluster.apply(
        {
            "apiVersion": "trimtab.dev/v1alpha1",
            "kind": "ModelRollout",
            "metadata": {"name": "flights", "namespace": namespace},
            "spec": {
                "model": {"uri": "pvc://models/v1", "version": "1"},
                "modelName": "flights",
                "serving": {"template": {"predictor": {"model": {"modelFormat": {"name": "onnx"}}}}},
                "route": {"parentRefs": [{"name": "public"}]},
            },
        }
    )

    def holds(**status):
        cluster.merge(kind, namespace, "flights", {"status": {"stable": STABLE, **status}}, status=True)

    def read():
        return cluster.read(kind, namespace, "flights")

    holds()
    return namespace, holds, read


def act(read) -> dict[str, str]:
    return json.loads(read()["metadata"]["annotations"]["trimtab.dev/act"])


def test_status_shows_where_a_rollout_stands_and_exits_by_whether_a_person_is_needed(plugin, rollout):
    namespace, holds, _ = rollout
    holds(phase="Shadow", candidate=CANDIDATE, traffic={"aaaaaaaa": 100}, mirror="bbbbbbbb")
    seen = plugin("rollout", "status", "flights", "-n", namespace)
    assert seen.returncode == 0, seen.stderr
    assert "Shadow" in seen.stdout
    assert "bbbbbbbb" in seen.stdout
    assert "100 %" in seen.stdout
    holds(phase="Shadow", candidate=CANDIDATE, stalled="Inconclusive after 28 days")
    stalled = plugin("rollout", "status", "flights", "-n", namespace)
    assert stalled.returncode == 1
    assert "Inconclusive after 28 days" in stalled.stdout
    listed = plugin("status", "-A")
    assert listed.returncode == 1
    assert f"{namespace}/flights" in listed.stdout
    as_json = plugin("rollout", "status", "flights", "-n", namespace, "--json")
    assert json.loads(as_json.stdout)["candidate"]["version"] == "2"


def test_an_order_is_written_as_who_gives_it_and_about_what_is_in_flight(plugin, rollout):
    namespace, holds, read = rollout
    step = {"name": "sign-off", "index": 1, "trail": ["x", "y"], "startedAt": T}
    holds(phase="AwaitingApproval", candidate=CANDIDATE, step=step)
    done = plugin("rollout", "approve", "flights", "-n", namespace)
    assert done.returncode == 0, done.stderr
    first = act(read)
    assert first.pop("id")
    assert first == {"verb": "approve", "revision": "bbbbbbbb", "step": "sign-off", "by": "admin"}
    assert plugin("rollout", "abort", "flights", "-n", namespace).returncode == 0
    assert act(read)["verb"] == "abort"
    assert "step" not in act(read)


def test_what_cannot_be_ordered_now_is_refused_and_nothing_is_written(plugin, rollout):
    namespace, _, read = rollout
    for verb, because in (("abort", "no candidate"), ("undo", "no previous"), ("retry", "no revision")):
        refused = plugin("rollout", verb, "flights", "-n", namespace)
        assert refused.returncode == 2
        assert because in refused.stderr
    assert "trimtab.dev/act" not in (read()["metadata"].get("annotations") or {})


def test_suspend_and_resume_write_the_spec(plugin, rollout):
    namespace, _, read = rollout
    assert plugin("rollout", "suspend", "flights", "-n", namespace).returncode == 0
    assert read()["spec"]["suspend"] is True
    assert plugin("rollout", "resume", "flights", "-n", namespace).returncode == 0
    assert read()["spec"]["suspend"] is False


def test_what_is_not_there_is_named_with_a_remedy(plugin, rollout):
    namespace, _, _ = rollout
    missing = plugin("rollout", "status", "fligths", "-n", namespace)
    assert missing.returncode == 2
    assert "fligths" in missing.stderr
    assert "kubectl trimtab status -A" in missing.stderr


def test_who_may_not_write_is_told_so(plugin, rollout, control_plane, tmp_path):
    namespace, holds, _ = rollout
    holds(phase="Shadow", candidate=CANDIDATE)
    stranger = control_plane.login("stranger").write(tmp_path / "kubeconfig")
    refused = plugin("rollout", "abort", "flights", "-n", namespace, KUBECONFIG=str(stranger))
    assert refused.returncode == 2
    assert "stranger" in refused.stderr
    assert "remedy" in refused.stderr


def test_a_cluster_that_does_not_answer_is_the_surroundings_fault(plugin, tmp_path):
    nowhere = tmp_path / "kubeconfig"
    nowhere.write_text(
        "apiVersion: v1\nkind: Config\nclusters: [{name: k, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        "users: [{name: u, user: {token: t}}]\n"
        "contexts: [{name: c, context: {cluster: k, user: u}}]\ncurrent-context: c\n"
    )
    down = plugin("status", KUBECONFIG=str(nowhere))
    assert down.returncode == 4
    assert "remedy" in down.stderr
