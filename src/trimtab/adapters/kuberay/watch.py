"""Beside the head of a RayJob: takes the job away when the pod that trains has gone without a word.

    python -m trimtab.adapters.kuberay.watch FILE NAME

A pod that is killed cannot clean up, and the garbage collector acts only once it is deleted, which may be days later.
FILE changes as long as that pod lives; clocks are not compared.
"""

import sys
import time
from pathlib import Path
from typing import Final

from trimtab.adapters.kuberay.ray_job import RAY_JOB
from trimtab.adapters.kubernetes.in_pod import PodApi
from trimtab.api.errors import TrimtabError

SILENT_S: Final = 90.0
LOOK_S: Final = 5.0


def main(argv: list[str] | None = None, silent_s: float = SILENT_S, look_s: float = LOOK_S) -> int:
    """Ends when it has deleted the RayJob."""
    file, name = argv if argv is not None else sys.argv[1:]
    wait_for_silence(Path(file), silent_s, look_s)
    print(f"nothing of {file} for {silent_s:.0f} s: RayJob {name} is deleted", flush=True)  # noqa: T201
    api = PodApi()
    try:
        path = f"/apis/ray.io/v1/namespaces/{api.namespace}/{RAY_JOB.plural}/{name}"
        status, body = api.call("DELETE", path)
        print(f"{status} {body.get('message', '')}", flush=True)  # noqa: T201
    except TrimtabError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def wait_for_silence(file: Path, silent_s: float, look_s: float) -> None:
    """Until the file has said the same, or has not been there, for so long."""
    seen, since = None, time.monotonic()
    while time.monotonic() - since < silent_s:
        try:
            now = file.read_text(encoding="utf-8")
        except OSError:
            now = None
        if now is not None and now != seen:
            seen, since = now, time.monotonic()
        time.sleep(look_s)


if __name__ == "__main__":
    sys.exit(main())
