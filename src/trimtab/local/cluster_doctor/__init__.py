"""What a cluster has of what trimtab rests on: which version, what is missing, and the line that gets it.

Read through the user's own kubectl. What that may not ask for is said to be unknown, and is no fault.
"""

from trimtab.local.cluster_doctor.examination import examine_cluster

__all__ = ["examine_cluster"]
