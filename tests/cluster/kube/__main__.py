"""`python -m tests.cluster.kube build [PROGRAM…] | up [--node] | down`: see `make cluster`."""

import sys

from tests.cluster.kube import people
from tests.cluster.kube.binaries import CONTROL_PLANE, ensure
from trimtab.api.errors import SurroundingsFailed

USAGE = __doc__ or ""


def main(arguments: list[str]) -> int:
    match arguments:
        case ["build", *programs]:
            ensure(programs or CONTROL_PLANE)
        case ["up", *node] if node in ([], ["--node"]):
            running = people.up(node=bool(node))
            say(
                f"{running.what}\n\n  export KUBECONFIG={running.kubeconfig}\n\nmake cluster-down takes it away"
            )
        case ["down"]:
            gone = people.down()
            say(f"gone: {gone.what}" if gone else "nothing runs")
        case ["keep", *node]:
            people.keep(node=bool(node))
        case _:
            say(USAGE)
            return 2
    return 0


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SurroundingsFailed as failed:
        print(failed, file=sys.stderr)  # noqa: T201
        sys.exit(failed.status)
