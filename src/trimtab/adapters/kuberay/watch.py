"""Beside the head of a RayJob: takes the job away when the pod that trains has gone without a word.

    python -m trimtab.adapters.kuberay.watch FOLDER NAME

A pod that is killed cannot clean up, and the garbage collector acts only once it is deleted, which may be days later.
"""

import sys
from pathlib import Path
from typing import Final

from trimtab.adapters.kuberay.alive import wait_for_silence
from trimtab.adapters.kuberay.ray_jobs import RayJobs
from trimtab.adapters.kubernetes.in_pod import PodApi
from trimtab.api.errors import TrimtabError

SILENT_S: Final = 90.0
LOOK_S: Final = 5.0


def main(argv: list[str] | None = None, silent_s: float = SILENT_S, look_s: float = LOOK_S) -> int:
    """Ends when it has deleted the RayJob."""
    folder, name = argv if argv is not None else sys.argv[1:]
    wait_for_silence(Path(folder), silent_s, look_s)
    print(f"nothing of {folder} for {silent_s:.0f} s: RayJob {name} is deleted", flush=True)  # noqa: T201
    try:
        RayJobs(PodApi(), "the pod that trains is gone").take_away(name)
    except TrimtabError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
