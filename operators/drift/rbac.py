"""What the operator may do, as one table; the chart's roles are made from it.

It reads what it watches, writes what is its own (statuses, leases, events, collectors), and does the rest as the
service account that a resource names: so a rollout can do no more in a namespace than that account may.

    python -m operators.drift.rbac                              the roles of an operator for the whole cluster
    python -m operators.drift.rbac --namespaces team-a,team-b   those of one that looks after these alone
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import yaml

NAME: Final = "trimtab-operator"
SYSTEM: Final = "trimtab-system"
COLLECTOR: Final = "trimtab-collector"
WATCH: Final = ("list", "watch")
RBAC: Final = "rbac.authorization.k8s.io"
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a role.

    Attributes:
        where: "namespaces": in each that is looked after; "cluster": of objects that have no namespace; "own": in the
            operator's own namespace alone.
        because: what it is for.
        names: only the objects of these names; empty for all.
    """

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    where: Literal["namespaces", "cluster", "own"]
    because: str
    names: tuple[str, ...] = ()

    def to_json(self) -> Object:
        return {
            "apiGroups": [self.group],
            **({"resourceNames": list(self.names)} if self.names else {}),
            "resources": list(self.resources),
            "verbs": list(self.verbs),
        }


RULES: Final = (
    Rule(
        "trimtab.dev", ("modelrollouts", "driftmonitors", "retrainpolicies"), (*WATCH, "update"), "namespaces",
        "look after them; stamp the leadership, hold a finalizer, keep notes in annotations",
    ),
    Rule(
        "trimtab.dev", ("modelrollouts/status", "driftmonitors/status", "retrainpolicies/status"), ("update",),
        "namespaces", "say what was seen and decided",
    ),
    Rule(
        "serving.kserve.io", ("inferenceservices",), ("get", *WATCH), "namespaces", "see revisions"
    ),
    Rule("serving.kserve.io", ("servingruntimes",), WATCH, "namespaces", "how a runtime takes its name"),
    Rule("serving.kserve.io", ("clusterservingruntimes",), WATCH, "cluster", "how a runtime takes its name"),
    Rule("gateway.networking.k8s.io", ("httproutes",), ("get", *WATCH), "namespaces", "see traffic, and conflicts"),
    Rule("gateway.networking.k8s.io", ("gateways",), WATCH, "cluster", "see listeners, of any namespace"),
    Rule("gateway.networking.k8s.io", ("gatewayclasses",), WATCH, "cluster", "see whether a gateway mirrors"),
    Rule("apps", ("deployments",), WATCH, "namespaces", "see how many servers of a revision answer"),
    Rule("apps", ("statefulsets",), (*WATCH, "create", "patch"), "namespaces", "a collector in each namespace"),
    Rule("", ("services",), ("get", *WATCH, "create", "patch"), "namespaces", "a Service stands before its route"),
    Rule("networking.k8s.io", ("networkpolicies",), WATCH, "namespaces", "see that collectors are fenced"),
    Rule(
        "networking.k8s.io", ("networkpolicies",), ("create", "patch", "delete"), "namespaces", "fence a collector",
        names=(COLLECTOR,),
    ),
    Rule("", ("pods",), WATCH, "namespaces", "see servers that die, and how a run's pod ended"),
    Rule("", ("configmaps",), ("get",), "namespaces", "see which run holds a claim"),
    Rule("batch", ("jobs",), WATCH, "namespaces", "see runs; they are made by the policy's account"),
    Rule("", ("serviceaccounts",), ("impersonate",), "namespaces", "write as the account that a resource names"),
    Rule("", ("events",), ("list",), "namespaces", "see why the pod of a collector or of a run cannot be made"),
    Rule("events.k8s.io", ("events",), ("create", "patch"), "namespaces", "tell people"),
    Rule("", ("namespaces",), ("get",), "cluster", "see whether one is on its way out: then nothing is mended"),
    Rule("authentication.k8s.io", ("tokenreviews",), ("create",), "cluster", "know who posts an event"),
    Rule("coordination.k8s.io", ("leases",), ("get", "create", "update"), "own", "one replica works at a time"),
)  # fmt: skip


def cluster_wide(namespace: str = SYSTEM) -> list[Object]:
    """Roles and bindings of an operator, running in `namespace`, that looks after every namespace."""
    return [
        _role("ClusterRole", "", [rule for rule in RULES if rule.where != "own"]),
        _binding("ClusterRoleBinding", "", namespace),
        *_own(namespace),
    ]


def namespaced(namespaces: Sequence[str], namespace: str = SYSTEM) -> list[Object]:
    """Those of one that looks after some alone: a Role in each, and reads of what has no namespace."""
    made = [
        _role("ClusterRole", "", [rule for rule in RULES if rule.where == "cluster"]),
        _binding("ClusterRoleBinding", "", namespace),
        *_own(namespace),
    ]
    inside = [rule for rule in RULES if rule.where == "namespaces"]
    for one in namespaces:
        made += [_role("Role", one, inside), _binding("RoleBinding", one, namespace)]
    return made


def _own(namespace: str) -> list[Object]:
    name = f"{NAME}-leader"
    rules = [rule for rule in RULES if rule.where == "own"]
    return [_role("Role", namespace, rules, name), _binding("RoleBinding", namespace, namespace, name)]


def _role(kind: str, namespace: str, rules: Sequence[Rule], name: str = NAME) -> Object:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": _metadata(name, namespace),
        "rules": [rule.to_json() for rule in rules],
    }


def _binding(kind: str, namespace: str, account: str, name: str = NAME) -> Object:
    role = "ClusterRole" if kind == "ClusterRoleBinding" else "Role"
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": _metadata(name, namespace),
        "roleRef": {"apiGroup": RBAC, "kind": role, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": account}],
    }


def _metadata(name: str, namespace: str) -> Object:
    labels = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "trimtab"}
    return {"name": name, "labels": labels} | ({"namespace": namespace} if namespace else {})


def by_place() -> str:
    """The rules by where they hold, as the chart reads them."""
    places = ("namespaces", "cluster", "own")
    by = {place: [rule.to_json() for rule in RULES if rule.where == place] for place in places}
    return yaml.safe_dump(by, sort_keys=False, width=110)


def text(objects: Sequence[Object]) -> str:
    """As YAML documents."""
    return yaml.safe_dump_all(objects, sort_keys=False, width=110)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the roles."""
    parser = argparse.ArgumentParser(
        prog="python -m operators.drift.rbac", description="Print the roles that the operator needs."
    )
    parser.add_argument("--namespaces", metavar="A,B", default="", help="look after these alone")
    parser.add_argument("--in", dest="system", default=SYSTEM, help=f"where the operator runs ({SYSTEM})")
    args = parser.parse_args(argv)
    names = [part for part in args.namespaces.split(",") if part]
    sys.stdout.write(text(namespaced(names, args.system) if names else cluster_wide(args.system)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
