"""Whom the chart's NetworkPolicies and the operator's let in and out, by traffic.

Every refusal is seen beside a call that is answered: by the same pod, or to the same target.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.cluster.kube.node_init import ADDRESS
from tests.cluster.node.policies.callers import SYSTEM, Caller, operators, predictor

if TYPE_CHECKING:
    from tests.cluster.control_plane.chart.release import Helm
    from tests.cluster.kube.gateway import Gateway
    from tests.cluster.kube.node import Node
    from tests.cluster.node.exported import Models
    from tests.cluster.node.rollouts import Rollout
    from tests.cluster.node.shares import Note

pytestmark = pytest.mark.xdist_group("node")

API_SERVER = "10.96.0.1:443"
DNS = "10.96.0.10:53"
RATE = 60


def test_a_collector_is_reached_by_predictors_beside_it_the_operator_and_whom_values_name(
    policed: "Node", rollout: "Rollout", callers: Mapping[str, Caller]
) -> None:
    everybody = {**callers, "predictor": predictor(rollout), "operator": operators(policed)[0]}
    target = f"trimtab-collector.{rollout.namespace}.svc:80"
    assert_reached_by({"predictor", "operator", "of monitoring"}, target, policed, everybody)


def test_a_collector_goes_nowhere(policed: "Node", rollout: "Rollout", callers: Mapping[str, Caller]) -> None:
    collector = Caller(rollout.namespace, "trimtab-collector-0")
    targets = {
        callers["elsewhere"].address(policed), callers["beside the collector"].address(policed),
        f"{ADDRESS}:6443", API_SERVER, DNS, "kubernetes.default.svc:443",
    }  # fmt: skip
    assert callers["beside the collector"].reaches(policed, *targets) == targets
    assert collector.reaches(policed, *targets) == set()


def test_the_operator_is_reached_by_whom_values_name_and_by_helm_test(
    policed: "Node", release: "Helm", rollout: "Rollout", callers: Mapping[str, Caller]
) -> None:
    everybody = {**callers, "predictor": predictor(rollout)}
    may = {"of monitoring", "beside the operator, as helm test"}
    service = f"trimtab-operator.{SYSTEM}.svc:8080"
    for target in (service, *(replica.address(policed) for replica in operators(policed))):
        assert_reached_by(may, target, policed, everybody)
    assert "Phase:          Succeeded" in release.done("test", "trimtab", "-n", SYSTEM)


def test_any_other_pod_of_trimtab_beside_the_operator_is_reached_by_nobody(
    policed: "Node", release: "Helm", callers: Mapping[str, Caller]
) -> None:
    guarded = Caller(SYSTEM, "guarded", {"app.kubernetes.io/part-of": "trimtab"})
    policed.apply(guarded.pod())
    policed.wait("Ready", "pod", guarded.name, SYSTEM)
    assert_reached_by(set(), guarded.address(policed), policed, callers)


def test_the_operator_reaches_those_alone_whom_values_name_where_they_name_any(
    policed: "Node", release: "Helm", rollout: "Rollout", callers: Mapping[str, Caller]
) -> None:
    from tests.cluster.control_plane.chart.release import CHART
    from tests.cluster.kube.poll import eventually

    collector = f"trimtab-collector.{rollout.namespace}.svc:80"
    stranger = callers["elsewhere"].address(policed)
    targets = {API_SERVER, collector, stranger}
    assert operators(policed)[0].reaches(policed, *targets) == targets
    named = [
        {"to": [{"ipBlock": {"cidr": f"{ADDRESS}/32"}}], "ports": [{"port": 6443}]},
        {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": rollout.namespace}}}]},
    ]
    to = f"networkPolicies.operatorTo={json.dumps(named)}"
    release.done("upgrade", "trimtab", str(CHART), "-n", SYSTEM, "--reuse-values", "--set-json", to)
    try:
        for replica in operators(policed):
            eventually(
                "those named alone", lambda at=replica: at.reaches(policed, *targets) == targets - {stranger}
            )
    finally:
        release.done("rollback", "trimtab", "1", "-n", SYSTEM)


def test_a_candidate_is_promoted_on_what_its_collector_was_told(
    policed: "Node", entrance: "Gateway", rollout: "Rollout", models: "Models", record_property: "Note"
) -> None:
    from tests.cluster.node.rollouts import model
    from tests.cluster.node.under_load import assert_no_failure, start_load

    load = start_load(entrance, rollout, models, rate=RATE)
    rollout.wish(model(models, "v2"))
    rollout.eventually("v2 is stable", lambda: rollout.serves_alone("2"), 420)
    assert_no_failure(load.stop(), record_property, RATE)
    assert rollout.check("errors")["verdict"] == "Pass"
    assert rollout.check("errors")["rows"] > 0


def test_probes_pass_where_policies_are_kept(
    policed: "Node", rollout: "Rollout", callers: Mapping[str, Caller]
) -> None:
    collector = Caller(rollout.namespace, "trimtab-collector-0")
    for guarded in (collector, *operators(policed)):
        pod = policed.get("pod", guarded.name, guarded.namespace)
        (container,) = pod["status"]["containerStatuses"]
        assert container["ready"]
        assert not container["restartCount"], policed.explain(guarded.namespace)


def assert_reached_by(wished: set[str], target: str, node: "Node", callers: Mapping[str, Caller]) -> None:
    """Of the callers these reach the target, and each of them a pod that nobody guards.

    The plugin may take a moment to learn of a new pod.
    """
    from tests.cluster.kube.errors import ClusterToolFailed
    from tests.cluster.kube.poll import eventually

    unguarded = callers["elsewhere"].address(node)

    def reached() -> dict[str, set[str]]:
        return {name: caller.reaches(node, target, unguarded) for name, caller in callers.items()}

    right = {name: {unguarded, target} if name in wished else {unguarded} for name in callers}
    with suppress(ClusterToolFailed):  # the assertion tells more
        eventually("as wished", lambda: reached() == right)
    assert reached() == right, target
