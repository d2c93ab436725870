"""Each task of a compiled pipeline in a pod of its own, without Kubeflow Pipelines.

`kfp.local` puts them in order, in the pod of a policy's Job; each then runs as its IR says (`ir`), made, waited for and
told of by `tasks`. All of them mount the volume on which `.trimtab` lies.
"""

from trimtab.adapters.step_pods.ir import Ir
from trimtab.adapters.step_pods.tasks import STEPS_OF, PodTasks, own_pod, see_volume

__all__ = ["STEPS_OF", "Ir", "PodTasks", "own_pod", "see_volume"]
