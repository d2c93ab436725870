"""The looks at a cluster, one after another."""

from collections.abc import Callable, Iterator
from typing import Final

from trimtab.adapters.kubectl import Kubectl, NotAllowed
from trimtab.local.cluster_doctor.others import OPTIONAL, gateway_api, gateways, kserve, optional
from trimtab.local.cluster_doctor.own import kinds, operator, pod_security, runtime, storage
from trimtab.local.cluster_doctor.reading import number, text
from trimtab.local.doctor import Finding

KUBERNETES: Final = (1, 32)


def examine_cluster(kubectl: Kubectl) -> list[Finding]:
    """Look at the cluster of the context.

    Raises:
        SurroundingsFailed: it cannot be reached.
        InputRefused: there is no kubectl, or no such context.
    """
    found = [_kubernetes(kubectl.server())]
    try:
        deployments = kubectl.list("deployments.apps", "--all-namespaces")
    except NotAllowed as refused:
        found.append(_unknown(refused))
        deployments = None
    for look in (
        lambda: kinds(kubectl),
        lambda: operator(kubectl, deployments),
        lambda: kserve(kubectl, deployments),
        lambda: runtime(kubectl),
        lambda: gateway_api(kubectl),
        lambda: gateways(kubectl, deployments),
        lambda: (optional(kubectl, part, deployments) for part in OPTIONAL),
        lambda: storage(kubectl, deployments),
        lambda: pod_security(kubectl),
    ):
        found += _tried(look)
    return found


def _tried(look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """What it finds; what may not be asked for is unknown."""
    found: list[Finding] = []
    try:
        found.extend(look())
    except NotAllowed as refused:
        found.append(_unknown(refused))
    return found


def _unknown(refused: NotAllowed) -> Finding:
    return Finding("unknown", refused.message, False, "ask for the right to read it")


def _kubernetes(version: str) -> Finding:
    well = number(version) >= KUBERNETES
    return Finding("kubernetes", version, well, f"upgrade it to {text(KUBERNETES)} or newer", True)
