"""Pipeline runs without Kubeflow Pipelines: one Job of batch/v1 a key, which runs the whole pipeline.

Its pod's command is `python -m trimtab.local.job`: the same IR on the same local runner as `trimtab run`, its steps in
that pod, or each in one of its own (`step_pods`).
"""

from trimtab.adapters.jobs.job import JOB, job_name
from trimtab.adapters.jobs.pods import POD
from trimtab.adapters.jobs.runs import JobRuns

__all__ = ["JOB", "POD", "JobRuns", "job_name"]
