"""Claims of keys (ports.claims): ConfigMaps on a cluster, nothing to claim on one machine.

A pipeline task writes them with its own service account (`in_cluster`); the operator only reads them (`config_map`).
"""

from trimtab.adapters.claims.config_map import claim_name, read_claim
from trimtab.adapters.claims.in_cluster import InClusterClaims
from trimtab.adapters.claims.unclaimed import Unclaimed

__all__ = ["InClusterClaims", "Unclaimed", "claim_name", "read_claim"]
