"""Pipeline runs on a Kubeflow Pipelines server, over its REST API v2beta1; nothing of kfp is imported."""

from trimtab.adapters.kfp_server.publishing import KfpPublisher, Recurring, Schedule, Version, version_name
from trimtab.adapters.kfp_server.runs import KfpServerRuns
from trimtab.adapters.kfp_server.server import KfpProvider, KfpRun, KfpServer

__all__ = [
    "KfpProvider",
    "KfpPublisher",
    "KfpRun",
    "KfpServer",
    "KfpServerRuns",
    "Recurring",
    "Schedule",
    "Version",
    "version_name",
]
