"""The requests that one revision answered: one row a request, counted exactly over any span."""

from array import array
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from trimtab.collector import latency

UNANSWERED = 0


class Requests:
    """Columns over requests, in order of arrival; no answer depends on that order."""

    def __init__(self) -> None:
        self._time_us = array("q")
        self._status = array("h")
        self._rows = array("i")
        self._bucket = array("h")

    def __len__(self) -> int:
        return len(self._time_us)

    def add(self, time_us: int, status: int, duration_ms: float, rows: int) -> None:
        """Take one request; `status` UNANSWERED is an error until nothing better is known."""
        self._time_us.append(time_us)
        self._status.append(status)
        self._rows.append(rows)
        self._bucket.append(latency.bucket(duration_ms))

    def counts(
        self, start_us: int, end_us: int, bucket_us: int, unanswered_us: Sequence[int] = ()
    ) -> Iterator[tuple[int, int, int, int]]:
        """(bucket's start in µs, requests, errors, rows), ascending, empty buckets left out.

        Args:
            unanswered_us: times of requests that still wait for their response; each is an error.
        """
        inside, times = self._inside(start_us, end_us)
        waiting = np.array([time for time in unanswered_us if start_us <= time < end_us], np.int64)
        times = np.concatenate([times, waiting])
        errors = np.concatenate(
            [~answered(np.array(self._status, dtype=np.int16)[inside]), np.ones(len(waiting), bool)]
        )
        rows = np.concatenate([np.array(self._rows, dtype=np.int64)[inside], np.zeros_like(waiting)])
        buckets, where = np.unique(times // bucket_us, return_inverse=True)
        requests = np.bincount(where, minlength=len(buckets))
        failed = np.bincount(where[errors], minlength=len(buckets))
        summed = np.zeros(len(buckets), np.int64)
        np.add.at(summed, where, rows)
        yield from zip(
            (buckets * bucket_us).tolist(), requests.tolist(), failed.tolist(), summed.tolist(), strict=True
        )

    def latencies(self, start_us: int, end_us: int) -> NDArray[np.int64]:
        """Answered requests a bucket of latency.EDGES_MS, shape (BUCKETS,)."""
        inside, _ = self._inside(start_us, end_us)
        buckets = np.array(self._bucket, dtype=np.int16)[inside]
        good = answered(np.array(self._status, dtype=np.int16)[inside])
        return np.bincount(buckets[good], minlength=latency.BUCKETS).astype(np.int64)

    def totals(self) -> tuple[int, int, int]:
        """Requests, errors, rows of all that is held."""
        errors = int((~answered(np.array(self._status, dtype=np.int16))).sum())
        return len(self), errors, int(np.array(self._rows, dtype=np.int64).sum())

    def _inside(self, start_us: int, end_us: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        times = np.array(self._time_us, dtype=np.int64)
        inside = (times >= start_us) & (times < end_us)
        return inside, times[inside]

    def forget(self, before_us: int) -> None:
        keep = np.array(self._time_us, dtype=np.int64) >= before_us
        self._time_us = array("q", np.array(self._time_us, dtype=np.int64)[keep].tobytes())
        self._status = array("h", np.array(self._status, dtype=np.int16)[keep].tobytes())
        self._rows = array("i", np.array(self._rows, dtype=np.int32)[keep].tobytes())
        self._bucket = array("h", np.array(self._bucket, dtype=np.int16)[keep].tobytes())


def answered(status: NDArray[np.int16]) -> NDArray[np.bool_]:
    """A request is answered when its status is 2xx; everything else is an error."""
    return np.asarray(status // 100 == 2)
