"""What goes wrong while model.py learns, in a sentence that says where, and what to do."""

import contextlib
from collections.abc import Iterator
from typing import Final

import torch

from trimtab.api.errors import SurroundingsFailed, TrimtabError
from trimtab.features.definition import told
from trimtab.ports.workers import PeerLost
from trimtab.steps.fitting.refusals import ModelRefused

LEAKS: Final = (
    "if it grows from epoch to epoch, look in model.py for tensors that are kept from batch to batch "
    "(a list of losses keeps each one's graph: keep loss.item())"
)


@contextlib.contextmanager
def blamed(name: str, where: str, *, kept: bool) -> Iterator[None]:
    """What model.py raises, with its line; and memory that is full. A peer that is gone is not its fault.

    Args:
        kept: there are checkpoints.

    Raises:
        ModelRefused: it raised.
        SurroundingsFailed: memory is full.
    """
    with memory_is_enough(name, where, kept=kept):
        try:
            yield
        except (TrimtabError, PeerLost, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            if "can't allocate memory" in str(error):  # torch's, of the CPU
                raise MemoryError from error
            raise ModelRefused(
                f"{name}: raised {told(error, name)} {where}{_stands(kept)}", remedy="mend the file"
            ) from error


@contextlib.contextmanager
def memory_is_enough(name: str, where: str, *, kept: bool) -> Iterator[None]:
    """
    Raises:
        SurroundingsFailed: it is not.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise SurroundingsFailed(
            f"{name}: the GPU's memory is full {where}{_stands(kept)}: {error}",
            remedy=f"lower training.batchRows, with training.accumulate raised as much; {LEAKS}",
        ) from error
    except MemoryError as error:
        raise SurroundingsFailed(
            f"{name}: memory is full {where}{_stands(kept)}",
            remedy=f"lower training.batchRows, or give it more memory; {LEAKS}",
        ) from error


def _stands(kept: bool) -> str:
    return "; its last checkpoint stands" if kept else ""
