"""What fails between us and a bucket, as a sentence with its remedy."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from trimtab.api.errors import InputRefused, SurroundingsFailed, TrimtabError

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_OF_CLIENT: Final = "Error performing"
_SHORTER: Final = "416 Range Not Satisfiable"
_NO_BUCKET: Final = ("NoSuchBucket", "The specified bucket does not exist", "ContainerNotFound")
_UNNAMED: Final = ("Missing AccessKeyId", "Missing SecretAccessKey", "169.254.169.254", "metadata.google")
_REFUSED: Final = (
    "403 Forbidden",
    "401 Unauthorized",
    "lacked the necessary privileges",
    "valid authentication",
)
_FULL: Final = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


@contextmanager
def reached(address: str) -> Iterator[None]:
    """Failures of what is done there.

    Raises:
        InputRefused: no such bucket.
        SurroundingsFailed: it does not answer, refuses our credentials, or this machine's disk is full.
        FileNotFoundError: no such object: the caller knows what that means.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise sentence(address, error) from error


@contextmanager
def gone_if_absent(file: str) -> Iterator[None]:
    """A file of a table, at an address or on this machine, that is not there.

    Raises:
        InputRefused: in place of FileNotFoundError.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise InputRefused(
            f"{file.rsplit('/', 1)[-1]} of the table is gone: the version that named it has been vacuumed",
            remedy="run again, so that the newest version is read",
        ) from error


def sentence(address: str, error: Exception) -> TrimtabError:
    """What a failure of delta-rs' clients comes to."""
    said = _COLOURS.sub("", str(error))
    bucket = "/".join(address.split("/")[:3])
    if isinstance(error, OSError) and error.errno in _FULL:
        return SurroundingsFailed(
            f"the disk is full: {address} could not be copied to this machine",
            remedy="free some space, and run it again",
        )
    if any(sign in said for sign in _NO_BUCKET):
        return InputRefused(f"there is no bucket {bucket}", remedy="make it, or name another one")
    if any(sign in said for sign in _UNNAMED):
        return SurroundingsFailed(
            f"{bucket}: this process has no credentials for it",
            remedy="give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what else your storage asks for, in its "
            "environment",
        )
    if any(sign in said for sign in _REFUSED):
        because = re.search(r"<Code>(\w+)</Code>", said)
        return SurroundingsFailed(
            f"{bucket} refuses these credentials" + (f" ({because[1]})" if because else ""),
            remedy="give those of somebody who may list, read and write there (AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY), and see that AWS_ENDPOINT_URL and AWS_REGION are the bucket's",
        )
    if _SHORTER in said or _OF_CLIENT not in said:  # else Arrow's word on what it was given
        why = "somebody wrote it anew, shorter than it was" if _SHORTER in said else said
        return SurroundingsFailed(
            f"{address}: cannot be read ({why})", remedy="run again, so that the table is written anew"
        )
    return SurroundingsFailed(
        f"{address} cannot be reached: {_cause(said)}",
        remedy="see that the storage is up, and run it again: a training goes on from its last checkpoint",
    )


def _cause(said: str) -> str:
    """The status that the storage answered, else the innermost of the causes that stand below each other."""
    lines = [line.strip(" ↳") for line in said.splitlines()]
    status = re.search(r"status code\W+(\d{3} [A-Z][A-Za-z ]+[a-z])", said)
    cause = status[1] if status else next((line for line in reversed(lines) if line), "it said nothing")
    tries = re.search(r"after (\d+) retries", said)
    return cause + (f", after {tries[1]} tries" if tries else "")
