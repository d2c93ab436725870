"""The user's own kubectl as the way to a cluster: its contexts, plugins and identities all work, with none of ours.

Calls block. Raises InputRefused where the user is at fault (no such thing, not allowed, no kubectl) and
SurroundingsFailed where the cluster is.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final

from trimtab.api.errors import InputRefused, SurroundingsFailed

TIMEOUT: Final = "15s"
MANAGER: Final = "kubectl-trimtab"
UNREACHABLE: Final = (
    "connection refused",
    "was refused",
    "no such host",
    "i/o timeout",
    "unable to connect",
    "deadline exceeded",
)


class NotServed(InputRefused):
    """The cluster knows no such kind."""


class MovedOn(InputRefused):
    """Somebody wrote the object since it was read."""


class NotAllowed(InputRefused):
    """The user may not ask for it."""


class Kubectl:
    """kubectl with the flags that the user gave (`--context`, `--namespace`, `--kubeconfig`).

    Args:
        command: the program, by name or path.
    """

    def __init__(self, flags: Sequence[str] = (), *, command: str = "kubectl") -> None:
        self._flags, self._command = tuple(flags), command

    def get(self, resource: str, name: str) -> Mapping[str, Any]:
        """One object."""
        one: Mapping[str, Any] = self._json("get", resource, name, "-o", "json")
        return one

    def find(self, resource: str, name: str, namespace: str = "") -> Mapping[str, Any] | None:
        """One object, or None. Raises NotServed or NotAllowed where it cannot be looked for."""
        within = (f"--namespace={namespace}",) if namespace else ()
        said = self._run("get", resource, name, "--ignore-not-found", "-o", "json", *within)
        found: Mapping[str, Any] | None = json.loads(said) if said.strip() else None
        return found

    def namespace(self) -> str:
        """The one of the flags or of the context."""
        for flag in self._flags:
            if flag.startswith("--namespace="):
                return flag.partition("=")[2]
        said = self._run("config", "view", "--minify", "-o", "jsonpath={..namespace}")
        return said.strip() or "default"

    def server(self) -> str:
        """The API server's version, such as v1.36.4."""
        version: str = json.loads(self._run("get", "--raw", "/version"))["gitVersion"]
        return version

    def list(self, resource: str, *more: str) -> Sequence[Mapping[str, Any]]:
        """All objects of the namespace; with "--all-namespaces", of all."""
        items: list[Mapping[str, Any]] = self._json("get", resource, "-o", "json", *more)["items"]
        return items

    def annotate(self, resource: str, name: str, key: str, value: str, version: str) -> None:
        """Set an annotation. Raises MovedOn if the object is no longer of this resourceVersion."""
        self._run(
            "annotate", resource, name, f"{key}={value}", "--overwrite",
            f"--resource-version={version}", f"--field-manager={MANAGER}",
        )  # fmt: skip

    def merge(self, resource: str, name: str, patch: Mapping[str, Any]) -> None:
        """Merge-patch an object."""
        self._run(
            "patch", resource, name, "--type=merge", f"--field-manager={MANAGER}", "-p", json.dumps(patch)
        )

    def user(self) -> str:
        """Who one is to the cluster."""
        who: str = self._json("auth", "whoami", "-o", "json")["status"]["userInfo"]["username"]
        return who

    def _json(self, *arguments: str) -> Any:
        return json.loads(self._run(*arguments))

    def _run(self, *arguments: str) -> str:
        line = [self._command, *self._flags, f"--request-timeout={TIMEOUT}", *arguments]
        try:
            done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise InputRefused(f"{self._command} is not on the PATH", remedy="install kubectl") from error
        if done.returncode != 0:
            raise _failure(done.stderr.strip(), arguments)
        return done.stdout


def _failure(said: str, arguments: Sequence[str]) -> InputRefused | SurroundingsFailed:
    """What kubectl said, as an error of ours."""
    last = said.splitlines()[-1] if said else f"kubectl {arguments[0]} failed and said nothing"
    message = last.removeprefix("Error from server ").removeprefix("error: ")
    if any(sign in said.lower() for sign in UNREACHABLE):
        return SurroundingsFailed(
            message, remedy="see `kubectl cluster-info`; --context names another cluster"
        )
    if "(NotFound)" in last:
        return InputRefused(message, remedy="`kubectl trimtab status -A` lists what there is")
    if "have a resource type" in last:
        return NotServed(
            message,
            remedy="the resources of trimtab are not installed: kubectl apply --server-side -k manifests/crds",
        )
    if "(Conflict)" in last or "object has been modified" in last:
        return MovedOn(f"the rollout has moved on: {message}", remedy="look again, and order again")
    if "(Forbidden)" in last:
        return NotAllowed(message, remedy="ask for the right in that namespace")
    return InputRefused(message)
