"""What objects that kubectl shows say of themselves."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from trimtab.adapters.kubectl import Kubectl, NotServed

Json = Mapping[str, Any]
Deployments = Sequence[Json] | None
"""Those of all namespaces; None where they may not be listed."""

CRDS: Final = "customresourcedefinitions.apiextensions.k8s.io"
OPERATOR: Final = ("app.kubernetes.io/name", "trimtab-operator")


def listed(kubectl: Kubectl, resource: str, *more: str) -> Sequence[Json]:
    """All of a kind; none where it is not served."""
    try:
        return kubectl.list(resource, *more)
    except NotServed:
        return ()


def operators(deployments: Deployments) -> list[Json]:
    key, value = OPERATOR
    return [one for one in deployments or () if (one["metadata"].get("labels") or {}).get(key) == value]


def deployment(deployments: Deployments, word: str) -> Json | None:
    """The first whose name or image has the word in it."""
    return next(
        (one for one in deployments or () if word in one["metadata"]["name"] or word in image(one)), None
    )


def image(deployment: Json) -> str:
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def tag(deployment: Json) -> str:
    _, _, tag = image(deployment).partition("@")[0].rpartition("/")[2].partition(":")
    return tag or "of unknown version"


def holds(obj: Json, kind: str) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or []
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)


def because(obj: Json, kind: str) -> str:
    """What a condition says; where nobody has looked at the object, that."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    found = next((one for one in conditions if one["type"] == kind), None)
    return f"{found['reason']}: {found['message']}" if found else "no controller has looked at it"


def number(version: str) -> tuple[int, ...]:
    """Major and minor.

    >>> number("v1.36.4")
    (1, 36)
    >>> number("latest")
    ()
    """
    match = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else ()


def text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
