"""A claim as a ConfigMap: `trimtab-claim-<key>`, made once by the API server's own rule of one name, one object.

data.key      the key
data.run      the holder's id; never changed
data.effect   JSON of what the holder registered; absent before
"""

import json
import re
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from trimtab.api.errors import InputRefused, SurroundingsFailed
from trimtab.ports.claims import Claim, Effect
from trimtab.ports.cluster import Cluster, Kind, Object

CONFIG_MAP: Final = Kind("", "v1", "ConfigMap", "configmaps")
LABEL: Final = "trimtab.dev/claim"
_KEY: Final = re.compile(r"[0-9a-f]{16,64}")


def claim_name(key: str) -> str:
    """
    Raises:
        InputRefused: no key of a policy.

    >>> claim_name("0123456789abcdef")
    'trimtab-claim-0123456789abcdef'
    """
    if not _KEY.fullmatch(key):
        raise InputRefused(f"'{key}' is no key of a retraining policy", remedy="leave `claims` empty")
    return f"trimtab-claim-{key}"


def as_object(claim: Claim, namespace: str, owner: Object | None = None) -> dict[str, Any]:
    """`owner`: an entry of ownerReferences; the claim goes with it."""
    data = {"key": claim.key, "run": claim.run}
    if claim.effect is not None:
        data["effect"] = json.dumps(asdict(claim.effect) | {"until": claim.effect.until.isoformat()})
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.kind,
        "metadata": {
            "name": claim_name(claim.key),
            "namespace": namespace,
            "labels": {LABEL: claim.key[:16], "app.kubernetes.io/managed-by": "trimtab"},
            **({"ownerReferences": [owner]} if owner is not None else {}),
        },
        "data": data,
    }


def from_object(obj: Object) -> Claim:
    """
    Raises:
        SurroundingsFailed: somebody else wrote into it.
    """
    data, name = obj.get("data") or {}, obj["metadata"]["name"]
    try:
        effect = json.loads(data["effect"]) if data.get("effect") else None
        if effect is not None:
            effect = Effect(**effect | {"until": datetime.fromisoformat(effect["until"])})
        made = obj["metadata"].get("creationTimestamp")
        return Claim(data["key"], data["run"], effect, datetime.fromisoformat(made) if made else None)
    except (KeyError, TypeError, ValueError) as error:
        raise SurroundingsFailed(
            f"ConfigMap {name} is no claim ({type(error).__name__}: {error})",
            remedy=f"see who changed it; once its run has ended: kubectl delete configmap {name}",
        ) from error


def delete_claim(cluster: Cluster, namespace: str, key: str, account: str) -> None:
    """As the account that runs write claims with, where the claims are in its own namespace.

    Raises:
        SurroundingsFailed, Refused
    """
    cluster.delete(CONFIG_MAP, namespace, claim_name(key), account=account)


def read_claim(cluster: Cluster, namespace: str, key: str) -> Claim | None:
    """The claim of a key as it stands; None before any run took it."""
    held = cluster.read(CONFIG_MAP, namespace, claim_name(key))
    return None if held is None else from_object(held)
