"""Rights of an account in a namespace, and the wait until the API server's authorizer knows of them.

The authorizer reads Roles and RoleBindings from caches of its own, each of which may lag behind the write.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from tests.cluster.kube.poll import eventually
from trimtab.ports.cluster import Kind

if TYPE_CHECKING:
    from tests.cluster.kube.direct import Direct

Json = dict[str, Any]
Rules = Sequence[Mapping[str, Any]]

GROUP = "rbac.authorization.k8s.io"
VERSION = f"{GROUP}/v1"
ROLE = Kind(GROUP, "v1", "Role", "roles")
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
EVERYTHING: Rules = ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},)


def service_account(namespace: str, name: str) -> Json:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def role_with_binding(namespace: str, name: str, subject: Mapping[str, Any], rules: Rules) -> list[Json]:
    """Both of one name.

    Args:
        subject: as a RoleBinding names it.
    """
    meta = {"name": name, "namespace": namespace}
    role_ref = {"apiGroup": GROUP, "kind": "Role", "name": name}
    return [
        {"apiVersion": VERSION, "kind": "Role", "metadata": meta, "rules": [*rules]},
        {
            "apiVersion": VERSION,
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": role_ref,
            "subjects": [dict(subject)],
        },
    ]


def grant(cluster: "Direct", namespace: str, name: str, subject: Mapping[str, Any], rules: Rules) -> None:
    """Return once `subject` may do what `rules` say, and no more what the Role of this name said."""
    before = cluster.get(ROLE, namespace, name)
    for obj in role_with_binding(namespace, name, subject, rules):
        cluster.apply(obj)
    wished = [*_actions(rules)]
    gone = [one for one in _actions(before["rules"] if before else ()) if one not in wished]

    await_rights(cluster, namespace, subject, rules)
    eventually(
        f"{subject['name']} may do less in {namespace}",
        lambda: not any(_may(cluster, namespace, subject, one) for one in gone),
    )


def await_rights(cluster: "Direct", namespace: str, subject: Mapping[str, Any], rules: Rules) -> None:
    """Return once the authorizer knows of a binding that was written before.

    Args:
        namespace: or "", if the rights are to all of the cluster.
    """
    eventually(
        f"{subject['name']} has its rights in {namespace or 'the cluster'}",
        lambda: all(_may(cluster, namespace, subject, one) for one in _actions(rules)),
    )


def _may(cluster: "Direct", namespace: str, subject: Mapping[str, Any], action: Json) -> bool:
    spec = {**_caller(subject), "resourceAttributes": {"namespace": namespace, **action}}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return bool(cluster.call("POST", REVIEWS, review)["status"]["allowed"])


def _actions(rules: Rules) -> Iterator[Json]:
    for rule in rules:
        names = rule.get("resourceNames", [""])
        for group, resource, verb, name in product(
            rule["apiGroups"], rule["resources"], rule["verbs"], names
        ):
            kind, _, subresource = resource.partition("/")
            yield {"group": group, "resource": kind, "subresource": subresource, "verb": verb, "name": name}


def _caller(subject: Mapping[str, Any]) -> Json:
    if subject["kind"] == "Group":
        return {"user": "anybody", "groups": [subject["name"]]}
    if subject["kind"] == "ServiceAccount":
        return {"user": f"system:serviceaccount:{subject['namespace']}:{subject['name']}"}
    return {"user": subject["name"]}
