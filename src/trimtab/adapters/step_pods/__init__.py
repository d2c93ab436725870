"""Each task of a compiled pipeline in a pod of its own, without Kubeflow Pipelines.

`kfp.local` puts them in order, in the pod of a policy's Job (`own`); each then runs as its IR says (`ir`), made, waited
for and told of by `tasks`. All of them mount the volume on which `.trimtab` lies.
"""

from trimtab.adapters.step_pods.ir import Ir
from trimtab.adapters.step_pods.own import STEPS_OF, end_steps, ends_at, own_pod, see_volume
from trimtab.adapters.step_pods.tasks import PodTasks

__all__ = ["STEPS_OF", "Ir", "PodTasks", "end_steps", "ends_at", "own_pod", "see_volume"]
