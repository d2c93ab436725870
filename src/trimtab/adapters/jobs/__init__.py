"""Pipeline runs without Kubeflow Pipelines: one Job of batch/v1 a key, which runs the whole pipeline in one pod.

The pod's command is `python -m trimtab.local.job`: the same IR on the same local runner as `trimtab run`.
"""

from trimtab.adapters.jobs.job import JOB, job_name
from trimtab.adapters.jobs.pods import POD
from trimtab.adapters.jobs.runs import JobRuns

__all__ = ["JOB", "POD", "JobRuns", "job_name"]
