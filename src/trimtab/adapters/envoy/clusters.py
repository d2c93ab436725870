"""Envoy clusters: one a revision and purpose, so that copies are counted apart from answers.

A cluster is named `<revision>.<purpose>`. Its metadata holds the file version at which it was added: a
cluster that is taken away and comes back counts from zero, and that number tells (`Sent.epoch`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

ANY = "type.googleapis.com/"
METADATA = "dev.trimtab"
CONNECT_TIMEOUT = "1s"
IDLE_TIMEOUT = "3s"
"""Below the 5 s after which uvicorn closes an idle connection: the two never race for a connection."""
AT_ONCE = 4096


class Purpose(Enum):
    """What a cluster's requests are for."""

    ANSWER = "answer"
    MIRROR = "mirror"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where one revision's requests of one purpose go.

    Attributes:
        port: on 127.0.0.1.
        added: version of the clusters' file that first held it.
    """

    revision: str
    purpose: Purpose
    port: int
    added: int

    @property
    def name(self) -> str:
        return cluster_name(self.revision, self.purpose)


def cluster_name(revision: str, purpose: Purpose) -> str:
    return f"{revision}.{purpose.value}"


def revision_of(name: str) -> str:
    """The revision in a cluster's name."""
    return name.rpartition(".")[0]


def to_resource(cluster: Cluster) -> dict[str, Any]:
    """The cluster as envoy.config.cluster.v3.Cluster in JSON."""
    endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": cluster.port}}}
    return {
        "@type": f"{ANY}envoy.config.cluster.v3.Cluster",
        "name": cluster.name,
        "type": "STATIC",
        "connect_timeout": CONNECT_TIMEOUT,
        "load_assignment": {
            "cluster_name": cluster.name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": AT_ONCE, "max_pending_requests": AT_ONCE, "max_requests": AT_ONCE}
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{ANY}envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {}},
                "common_http_protocol_options": {"idle_timeout": IDLE_TIMEOUT},
            }
        },
        "metadata": {
            "filter_metadata": {
                METADATA: {
                    "revision": cluster.revision,
                    "purpose": cluster.purpose.value,
                    "added": cluster.added,
                }
            }
        },
    }


def from_resource(resource: dict[str, Any]) -> Cluster:
    """What `to_resource` wrote. Raises KeyError for a cluster that is not ours."""
    ours = resource["metadata"]["filter_metadata"][METADATA]
    (group,) = resource["load_assignment"]["endpoints"]
    (member,) = group["lb_endpoints"]
    return Cluster(
        revision=ours["revision"],
        purpose=Purpose(ours["purpose"]),
        port=int(member["endpoint"]["address"]["socket_address"]["port_value"]),
        added=int(ours["added"]),
    )


def oldest_first(clusters: Sequence[Cluster]) -> list[str]:
    """Revisions in the order in which they came to this gateway."""
    ordered = sorted(clusters, key=lambda cluster: cluster.added)
    return list(dict.fromkeys(cluster.revision for cluster in ordered))
