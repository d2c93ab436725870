"""Objects of a bucket as files: opened for reads of ranges, copied, listed."""

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trimtab.adapters.object_store.failures import gone_if_absent, reached
from trimtab.adapters.object_store.ranges import Ranges

if TYPE_CHECKING:
    import pyarrow as pa

RETRY_FOR_S: Final = 120
"""For so long a request that finds no answer, or one of 5xx, is tried again."""
COPIED_BYTES: Final = 8 << 20
_CREDENTIALS: Final = ("AWS_", "GOOGLE_", "AZURE_")
_ADDRESS: Final = re.compile(r"(?!file:)[a-z0-9]+://")


def in_bucket(address: str) -> bool:
    """Whether this is an address, and no path of this machine.

    >>> in_bucket("s3://lake/flights"), in_bucket("/srv/lake"), in_bucket("file:///srv/lake")
    (True, False, False)
    """
    return _ADDRESS.match(address) is not None


def options(address: str) -> dict[str, str]:
    """What delta-rs is to know beside the environment (AWS_…, GOOGLE_…, AZURE_…); {} for a path."""
    if not in_bucket(address):
        return {}
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    retries = {"max_retries": "1000", "retry_timeout": f"{RETRY_FOR_S}s", "connect_timeout": "10s"}
    return {**retries, "allow_http": "true"} if plain else retries


def opened(address: str) -> "pa.NativeFile":
    """An object, of which the ranges that are read are fetched; for any number of threads.

    Raises:
        FileNotFoundError: no such object.
        InputRefused, SurroundingsFailed: as `reached` says.
    """
    import pyarrow as pa

    bucket, key = parts(address)
    with reached(address):
        return pa.PythonFile(Ranges(_files(bucket).open_input_file(key)), mode="r")


def here(files: Sequence[str], folder: Path) -> list[str]:
    """Paths of this machine of a table's files: those of a bucket are copied into the folder, unless they are there.

    Memory holds 8 MiB of them.

    Raises:
        InputRefused: one is gone, or its bucket.
        SurroundingsFailed: as `reached` says.
    """
    return [_copied(one, folder) if in_bucket(one) else one for one in files]


def _copied(address: str, folder: Path) -> str:
    to = folder / f"{hashlib.sha256(address.encode()).hexdigest()[:16]}.parquet"
    if not to.exists():
        copy(address, to)
    return str(to)


def copy(address: str, to: Path) -> None:
    """Copy an object of a table into a file, which is there whole or not at all. Raises as `here` does."""
    beside = to.with_name(f"{to.name}.part")
    with gone_if_absent(address), opened(address) as source, reached(address), beside.open("wb") as target:
        shutil.copyfileobj(source, target, COPIED_BYTES)
    beside.replace(to)


def there(file: str) -> bool:
    """Whether there is such a file, at an address or on this machine."""
    from pyarrow import fs

    if not in_bucket(file):
        return Path(file).is_file()
    bucket, key = parts(file)
    with reached(file):
        return bool(_files(bucket).get_file_info(key).type is fs.FileType.File)


def folders(address: str) -> list[str]:
    """Names of the folders directly below an address, sorted; [] where there is nothing."""
    return _below(address, "Directory")


def objects(address: str) -> list[str]:
    """Names of the objects directly below an address, sorted."""
    return _below(address, "File")


def _below(address: str, kind: str) -> list[str]:
    from pyarrow import fs

    bucket, key = parts(address)
    with reached(address):
        held = _files(bucket).get_file_info(fs.FileSelector(key, allow_not_found=True))
    return sorted(one.base_name for one in held if one.type.name == kind)


def parts(address: str) -> tuple[str, str]:
    """Bucket and key.

    >>> parts("s3://lake/flights/part-0.parquet")
    ('s3://lake', 'flights/part-0.parquet')
    """
    scheme, _, rest = address.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key.rstrip("/")


def _files(bucket: str) -> Any:
    said = ((name, value) for name, value in os.environ.items() if name.startswith(_CREDENTIALS))
    return _client(bucket, tuple(sorted(said)))


@lru_cache(maxsize=8)
def _client(bucket: str, environment: tuple[tuple[str, str], ...]) -> Any:
    """One a bucket, whose connections are kept; another where the credentials are others."""
    from deltalake.fs import DeltaStorageHandler
    from pyarrow import fs

    return fs.PyFileSystem(DeltaStorageHandler(bucket, options(bucket)))
