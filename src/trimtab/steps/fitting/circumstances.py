"""What a fit ran with that decides over its bits: threads, torch's switches, and on what each process learned."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Circumstances:
    """As they were while the model learned.

    Attributes:
        threads: of each pool, by its interface: openmp, blas, torch.
        switches: torch's own; empty where no network learned.
        devices: of each process in which a network learned, by rank; empty where none did.
    """

    threads: Mapping[str, str] = field(default_factory=dict)
    switches: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[str, ...] = ()


@contextmanager
def one_openmp_thread() -> Iterator[None]:
    """OpenMP of this thread on one core."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="openmp"):
        yield


def of_pools() -> Circumstances:
    """Of a fit by scikit-learn or alike, which `one_openmp_thread` limits."""
    from threadpoolctl import threadpool_info

    with one_openmp_thread():
        pools = threadpool_info()
    counts = {kind: sorted({pool["num_threads"] for pool in pools if pool["user_api"] == kind})
              for kind in sorted(pool["user_api"] for pool in pools)}  # fmt: skip
    return Circumstances({kind: ", ".join(map(str, found)) for kind, found in counts.items()})


def joined(each: Sequence[Circumstances]) -> Circumstances:
    """Of processes that learned together: those of the first, and the devices of all."""
    return replace(each[0], devices=tuple(device for one in each for device in one.devices))
