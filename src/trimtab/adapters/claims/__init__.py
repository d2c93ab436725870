"""Claims of keys (ports.claims): ConfigMaps on a cluster, nothing to claim on one machine.

A pipeline task writes them with its own service account (`in_cluster`). The operator reads them, and as that account
deletes one whose run is so long over that its policy's history knows it no more (`config_map`); those of Jobs go with
their policy.
"""

from trimtab.adapters.claims.config_map import claim_name, delete_claim, read_claim
from trimtab.adapters.claims.in_cluster import InClusterClaims
from trimtab.adapters.claims.unclaimed import Unclaimed

__all__ = ["InClusterClaims", "Unclaimed", "claim_name", "delete_claim", "read_claim"]
