"""Why workers came to an end, again and again or without a word: a sentence for each cause that can be told."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from trimtab.api.errors import SurroundingsFailed, TrimtabError

GOES_ON: Final = "run again, and it goes on from its last checkpoint"
NETWORK: Final = (
    "see that workers reach each other: a NetworkPolicy that lets pods of this namespace talk at any port, and {name} "
    "with the interface between them (`ip -brief address` lists them)"
)
CAUSES: Final[Sequence[tuple[str, str]]] = (
    (
        r"ModuleNotFoundError|ImportError|No module named",
        "give every node of the Ray cluster this run's image: what is imported is not there",
    ),
    (
        r"NCCL.*(shm|shared memory)|(shm|shared memory).*NCCL",
        "give /dev/shm more room: an emptyDir with medium: Memory at /dev/shm, or --shm-size of a container; or set "
        "NCCL_SHM_DISABLE=1",
    ),
    (
        r"NCCL|ncclSystemError|ncclInternalError|ncclUnhandledCudaError",
        NETWORK.format(name="NCCL_SOCKET_IFNAME")
        + "; see that /dev/shm has room; NCCL_DEBUG=WARN says more in the workers' output",
    ),
    (
        r"CUDA error|cuda runtime error|CUDNN_STATUS|device-side assert",
        "see that the GPU is well (`nvidia-smi`) and its driver fits torch; CUDA_LAUNCH_BLOCKING=1 names the line",
    ),
    (
        r"connectFullMesh|[Cc]onnect(ion)? (timeout|timed out|refused)|No route to host|client socket has timed out"
        r"|[Uu]nable to (find|resolve) address|DistNetworkError|failed to connect|[Nn]ame or service not known",
        NETWORK.format(name="GLOO_SOCKET_IFNAME"),
    ),
    (r"No space left on device|Disk quota exceeded", "free some disk where the run's .trimtab lies"),
)
"""What is said where it is the cause, and the remedy."""
FOLLOWS: Final = re.compile(
    r"[Cc]onnection (closed|reset) by peer|Connection was likely closed|Broken pipe|[Ss]ocket closed"
    r"|remote process exited"
)
"""What a process says when another has died: no cause."""
OUT_OF_MEMORY: Final = "give each worker more memory, or lower training.batchRows"
WIDE: Final = 400
KILLED: Final = re.compile(r"ActorDiedError|ActorUnavailable|died|OutOfMemory|SIGKILL|exit_type")


def died(
    asked: str,
    times: int,
    error: BaseException | None,
    lost: Mapping[int, str],
    wrote: Sequence[str],
    memory_kills: str = "",
) -> TrimtabError:
    """Why workers did not come to an answer.

    Args:
        times: that they were started anew.
        error: Ray Train's.
        lost: what each worker said last of the others that it lost.
        wrote: the last lines of their output.
        memory_kills: which were killed for want of memory, in words; "" for none.
    """
    failures: Mapping[int, BaseException] = getattr(error, "worker_failures", {})
    for failure in failures.values():
        if isinstance(failure, TrimtabError):
            return failure
    killed = sorted(rank for rank, failure in failures.items() if KILLED.search(f"{type(failure)} {failure}"))
    said = {rank: " ".join(text.split())[:WIDE] for rank, text in lost.items()}
    causes = [f"worker {rank} was killed" for rank in killed]
    causes += [f"worker {rank} said: {text}" for rank, text in sorted(said.items()) if rank not in killed]
    causes += [memory_kills] if memory_kills else []
    remedy = OUT_OF_MEMORY if memory_kills else remedy_of([*said.values(), *wrote])
    if not causes or (remedy is None and not killed and not said):
        causes.append(_last(error))
        remedy = remedy or remedy_of([str(error)])
    if remedy is None:
        remedy = "a worker that is killed is often out of memory: give it more, or lower training.batchRows"
    return SurroundingsFailed(
        f"{asked}: one has died more than {times} times: {'; '.join(causes)}", remedy=f"{remedy}; {GOES_ON}"
    )


def hangs(asked: str, silence_s: float, places: Sequence[str], *, met: bool) -> SurroundingsFailed:
    """Nothing is heard of workers.

    Args:
        places: where each stands, in words.
        met: whether they had found each other.
    """
    since = "" if met else ", and they have not found each other"
    look = (
        "look there for something that waits"
        if met
        else NETWORK.format(name="GLOO_SOCKET_IFNAME or NCCL_SOCKET_IFNAME")
    )
    return SurroundingsFailed(
        f"{asked}: nothing is heard of them for {silence_s:.0f} s{since}, so they are ended: {'; '.join(places)}",
        remedy=f"{look}; {GOES_ON}",
    )


def remedy_of(lines: Sequence[str]) -> str | None:
    """For the first cause that can be told from what processes said."""
    own = [line for line in lines if not FOLLOWS.search(line)]
    return next((remedy for mark, remedy in CAUSES if any(re.search(mark, line) for line in own)), None)


def _last(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines() if error is not None else []
    return lines[-1].strip() if lines else "Ray Train ended without an answer"
