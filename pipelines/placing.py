"""What turns a step of a graph into a pod: its image, what it may use, and where it is placed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kfp import dsl

LIGHT_CPU = "1"
LIGHT_MEMORY = "1Gi"
OUTSIDE = 3
"""How often a step that asks a server is tried again; each leaves the same if it runs twice."""
NODE_LOST = 1
"""How often a long step is: its node may go, but what is wrong with a project stays wrong."""


@dataclass(frozen=True, slots=True)
class Placing:
    """One environment, as all graphs take it.

    Attributes:
        image: of every task.
        cpu, memory: of a task that reads rows: cores, and a Kubernetes quantity.
        gpu: accelerators of a task that fits a model.
        accelerator: the resource that `gpu` counts.
        variables: environment of every task.
        secrets: keys by Secret; each becomes a variable of its own name.
        claim, mount: a volume claim and where every task finds it; "" for none.
        node_selector, tolerations, image_pull_secrets: as in a pod.
    """

    image: str
    cpu: int
    memory: str
    gpu: int = 0
    accelerator: str = "nvidia.com/gpu"
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    claim: str = ""
    mount: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, str]] = ()
    image_pull_secrets: Sequence[str] = ()

    def last(self, task: dsl.PipelineTask) -> dsl.PipelineTask:
        """The task of an exit handler: small, never from a cache, never tried again."""
        return self._sized(self._placed(task), LIGHT_CPU, LIGHT_MEMORY).set_caching_options(False)

    def small(self, task: dsl.PipelineTask) -> dsl.PipelineTask:
        """A task that asks a server and reads no rows; never from a cache."""
        return _tried_again(self.last(task), OUTSIDE)

    def asking(self, task: dsl.PipelineTask) -> dsl.PipelineTask:
        """A small task that asks and judges, and does no work: what it refuses once it refuses again, so
        that a person hears of a wrong input within a minute."""
        return _tried_again(self.last(task), OUTSIDE, "5s")

    def reading(
        self, task: dsl.PipelineTask, *, cached: bool = True, outside: bool = False
    ) -> dsl.PipelineTask:
        """A task that reads rows.

        Args:
            cached: its parameters name all that it depends on.
            outside: it asks servers or storage that are not ours.
        """
        placed = self._sized(self._placed(task), str(self.cpu), self.memory).set_caching_options(cached)
        return _tried_again(placed, OUTSIDE) if outside else placed

    def long(self, task: dsl.PipelineTask) -> dsl.PipelineTask:
        """A task that works for long over all rows."""
        return _tried_again(self.reading(task), NODE_LOST)

    def fitting(self, task: dsl.PipelineTask) -> dsl.PipelineTask:
        """A task that fits a model: with the accelerators, if there are any."""
        placed = self.long(task)
        if not self.gpu:
            return placed
        return placed.set_accelerator_type(self.accelerator).set_accelerator_limit(self.gpu)

    def _placed(self, task: dsl.PipelineTask) -> dsl.PipelineTask:
        from kfp import kubernetes

        task.set_container_image(self.image)
        for name, value in sorted(self.variables.items()):
            task.set_env_variable(name, value)
        for secret, keys in sorted(self.secrets.items()):
            kubernetes.use_secret_as_env(task, secret, {key: key for key in keys})
        if self.claim:
            kubernetes.mount_pvc(task, self.claim, self.mount)
        for key, value in sorted(self.node_selector.items()):
            kubernetes.add_node_selector(task, key, value)
        for toleration in self.tolerations:
            kubernetes.add_toleration(task, **toleration)
        if self.image_pull_secrets:
            kubernetes.set_image_pull_secrets(task, list(self.image_pull_secrets))
        return task

    def _sized(self, task: dsl.PipelineTask, cpu: str, memory: str) -> dsl.PipelineTask:
        return (
            task.set_cpu_request(cpu).set_cpu_limit(cpu).set_memory_request(memory).set_memory_limit(memory)
        )


def _tried_again(task: dsl.PipelineTask, times: int, first: str = "30s") -> dsl.PipelineTask:
    return task.set_retry(times, backoff_duration=first, backoff_factor=2, backoff_max_duration="300s")
