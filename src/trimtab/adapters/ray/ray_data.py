"""`Member.map` over Ray Data: tasks on any node of the cluster, whose answers are streamed here in order.

An item is one task, so an answer is never cut in two, and with `preserve_order` they come in the order of the items,
whichever is done first. Tasks ask for no CPU of Ray's: workers may hold all that it has, and would wait for ever for
rows that no task may read. How many run at once is bounded, and so is what lies in Ray's object store.
"""

import logging
import pickle
import sys
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from trimtab.adapters.ray.deaths import GOES_ON, remedy_of
from trimtab.adapters.ray.session import ADDRESS
from trimtab.api.errors import ExtraMissing, SurroundingsFailed, TrimtabError
from trimtab.ports.workers import Answer, Item

if TYPE_CHECKING:
    import pyarrow as pa

ASKED: Final = "training.reader: ray-data"
AT_ONCE: Final = range(2, 17)
"""Tasks of one member, at least and at most."""
AHEAD_BYTES: Final = 32 << 20
"""Of answers in the object store, for one member; of larger answers one at a time."""


@dataclass(frozen=True, slots=True)
class _Raised:
    error: Exception


def mapped(
    function: Callable[[Item], Answer], items: Sequence[Item], world: int
) -> Generator[Answer, None, None]:
    """As `Member.map` says.

    Args:
        world: members that do the same, which share the cluster's CPUs.
    """
    # Not imported here: Ray reads then what whoever starts it in this process sets before.
    ray: Any = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        raise SurroundingsFailed(
            f"{ASKED}, but this process is not connected to Ray",
            remedy=f"learn in workers of Ray (training.workers, {ADDRESS}), or say training.reader: own",
        )
    try:
        import ray.data as ray_data
    except ModuleNotFoundError as error:
        raise ExtraMissing("ray", ASKED) from error
    if not items:
        return
    cpus = int(ray.cluster_resources().get("CPU", 0)) // world
    with _streaming():
        answers: Any = (
            ray_data.from_items([{"item": pickle.dumps(item)} for item in items], override_num_blocks=len(items))
            .map_batches(
                partial(_answered, function),
                batch_size=None,
                batch_format="pyarrow",
                num_cpus=0,
                concurrency=min(max(cpus, AT_ONCE.start), AT_ONCE.stop - 1, len(items)),
            )
            .iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1)
        )  # fmt: skip
        with closing(iter(answers)) as tables:
            for table in tables:
                for one in table.column("answer"):
                    answer = pickle.loads(one.as_buffer())
                    if isinstance(answer, _Raised):
                        raise answer.error
                    yield answer


def _answered(function: Callable[[Item], Answer], table: "pa.Table") -> "pa.Table":
    """In a task: answers, or what was raised, as Ray would tell it in many lines and try it anew."""
    import pyarrow as pa

    said: list[bytes] = []
    for item in table.column("item").to_pylist():
        answer: Answer | _Raised
        try:
            answer = function(pickle.loads(item))
        except (TrimtabError, MemoryError) as error:
            answer = _Raised(error)
        except Exception:  # noqa: BLE001  it need not be what another process can read
            answer = _Raised(RuntimeError(f"in a task of Ray Data: {traceback.format_exc()}"))
        said.append(pickle.dumps(answer, protocol=5))
    return pa.table({"answer": pa.array(said, pa.large_binary())})


@contextmanager
def _streaming() -> Iterator[None]:
    """Ray Data as it is to run here: in order, within its memory, and without a word but what fails.

    Raises:
        SurroundingsFailed: it failed, and not what it ran.
    """
    from ray.data import DataContext, ExecutionResources
    from ray.data.exceptions import SystemException
    from ray.exceptions import RayError

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_options.preserve_order = True
    context.execution_options.resource_limits = ExecutionResources(object_store_memory=AHEAD_BYTES)
    with DataContext.current(context):
        try:
            yield
        except (RayError, SystemException) as error:
            last = next((line for line in reversed(str(error).splitlines()) if line.strip()), repr(error))
            remedy = (
                remedy_of([str(error)]) or "see that the cluster's nodes are up, or say training.reader: own"
            )
            raise SurroundingsFailed(
                f"{ASKED}: a task that reads rows came to grief: {last.strip()}",
                remedy=f"{remedy}; {GOES_ON}",
            ) from error
