"""The part of Kubeflow Pipelines' REST API v2beta1 that starts, finds and ends runs."""

import json
import urllib.parse
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from trimtab.adapters.http import HttpServer
from trimtab.api.errors import InputRefused, SurroundingsFailed

API: Final = "/apis/v2beta1"
PAGE: Final = 100
ENDED: Final = frozenset({"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"})


class Missing(InputRefused):
    """The server has no such thing."""


class Exists(InputRefused):
    """The server has one of this name."""


@dataclass(frozen=True, slots=True)
class KfpProvider:
    """A server as the operator's configuration names it.

    Attributes:
        url: what its API lies under: `http://ml-pipeline.kubeflow.svc:8888`, or `…/pipeline` behind Kubeflow.
        token_file: a service account's token of the audience `pipelines.kubeflow.org`.
        namespace: where a single-user server runs everything; "" for a multi-user one, where it is the policy's.
        passing: around each call; may refuse to let it through.
    """

    url: str
    token_file: Path | None = None
    ca_file: Path | None = None
    namespace: str = ""
    timeout_s: float = 10.0
    passing: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True, slots=True)
class KfpRun:
    """A run as the server tells it.

    Attributes:
        state: RuntimeState of v2beta1.
        error: the first thing that went wrong; "" if nothing.
    """

    id: str
    name: str
    state: str
    created_at: datetime
    error: str = ""

    @property
    def ended(self) -> bool:
        return self.state in ENDED


class KfpServer:
    """A server's API in one namespace. Every method raises SurroundingsFailed where it cannot be reached or fails,
    and InputRefused (Missing, Exists) where it says no.
    """

    def __init__(self, provider: KfpProvider, namespace: str) -> None:
        self._http = HttpServer(
            "Kubeflow Pipelines", provider.url, token_file=provider.token_file, ca_file=provider.ca_file,
            timeout_s=provider.timeout_s, passing=provider.passing,
        )  # fmt: skip
        self._namespace = "" if provider.namespace else namespace

    def pipeline(self, name: str) -> str:
        """The id of a pipeline.

        Raises:
            Missing: none of this name.
        """
        try:
            found = self.ask(f"/pipelines/names/{urllib.parse.quote(name, safe='')}", {})
            return str(found["pipeline_id"])
        except Missing as missing:
            raise Missing(
                f"Kubeflow Pipelines at {self._http.uri} has no pipeline '{name}'",
                remedy=f"trimtab pipeline compile, and upload the file as '{name}'",
            ) from missing

    def experiment(self, name: str) -> str:
        """The id of the experiment of this name, which is made if it is not there."""
        for _ in range(2):
            found = self.ask("/experiments", {"filter": named(name)}).get("experiments", [])
            if found:
                return str(found[0]["experiment_id"])
            try:
                body = {"display_name": name} | ({"namespace": self._namespace} if self._namespace else {})
                return str(self.send("POST", "/experiments", body)["experiment_id"])
            except Exists:
                continue
        raise SurroundingsFailed(f"Kubeflow Pipelines at {self._http.uri} hides experiment '{name}'")

    def runs(self, experiment: str, name: str) -> list[KfpRun]:
        """Every run of a name, the oldest first."""
        told = self.listed("/runs", "runs", {"experiment_id": experiment, "filter": named(name)})
        return sorted(map(run_of, told), key=lambda run: (run.created_at, run.id))

    def newest(self, experiment: str, most: int) -> list[KfpRun]:
        """The runs that were created last, the newest first."""
        query = {"experiment_id": experiment, "page_size": str(most), "sort_by": "created_at desc"}
        return [run_of(told) for told in self.ask("/runs", query).get("runs", [])]

    def listed(self, path: str, key: str, query: Mapping[str, str], *, namespaced: bool = True) -> list[Any]:
        """All of a list, page by page.

        Args:
            key: under which an answer holds them.
        """
        found: list[Any] = []
        asked = {**query, "page_size": str(PAGE)}
        while True:
            page = self.ask(path, asked, namespaced=namespaced)
            found += page.get(key, [])
            if not page.get("next_page_token"):
                return found
            asked["page_token"] = page["next_page_token"]

    def create(
        self,
        experiment: str,
        name: str,
        pipeline: str,
        parameters: Mapping[str, Any],
        account: str,
        because: str,
        version: str = "",
    ) -> KfpRun:
        """Create a run. Never tried twice: whether it took effect, `runs` says.

        Args:
            version: of the pipeline; the newest where empty.
        """
        body = {
            "experiment_id": experiment,
            "display_name": name,
            "description": because,
            "pipeline_version_reference": reference(pipeline, version),
            "runtime_config": {"parameters": dict(parameters)},
            "service_account": account,
        }
        return run_of(
            self.send("POST", f"/runs?{urllib.parse.urlencode({'experiment_id': experiment})}", body)
        )

    def run(self, identity: str) -> KfpRun:
        """One run, with the errors of its tasks."""
        return run_of(self.ask(f"/runs/{urllib.parse.quote(identity, safe='')}", {}, namespaced=False))

    def terminate(self, identity: str) -> None:
        self.send("POST", f"/runs/{urllib.parse.quote(identity, safe='')}:terminate", {})

    @property
    def namespace(self) -> str:
        """Of a multi-user server; "" where the server has but one."""
        return self._namespace

    def ask(self, path: str, query: Mapping[str, str], *, namespaced: bool = True) -> Any:
        """What a GET answers."""
        asked = dict(query)
        if namespaced and self._namespace:
            asked["namespace"] = self._namespace
        return self.send("GET", f"{path}?{urllib.parse.urlencode(asked)}" if asked else path)

    def send(
        self, method: str, target: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """What a call answers."""
        status, content = self._http.send(method, f"{API}{target}", body, headers)
        if status < 400:
            return self._http.read(content) if content.strip() else {}
        try:
            told = json.loads(content)
            because = str(told.get("message") or told.get("error_message") or told.get("error") or "")
        except (ValueError, AttributeError):
            because = content[:200].decode(errors="replace")
        message = (
            f"Kubeflow Pipelines at {self._http.uri} answered {status}: {' '.join(because.split())[:500]}"
        )
        if "quota" in because.lower():
            raise SurroundingsFailed(
                message,
                remedy="raise the namespace's ResourceQuota, or ask for less in training.resources of trimtab.yaml",
            )
        if status in (401, 403):
            raise SurroundingsFailed(
                message,
                remedy="see tokenFile, and that its service account may use pipelines in this namespace",
            )
        if status >= 500 or status == 429:
            raise SurroundingsFailed(message, remedy="see the log of ml-pipeline")
        raise {404: Missing, 409: Exists}.get(status, InputRefused)(message)


def reference(pipeline: str, version: str) -> dict[str, str]:
    """A version of a pipeline; the newest where none is named."""
    return {"pipeline_id": pipeline} | ({"pipeline_version_id": version} if version else {})


def named(name: str) -> str:
    """The filter of what has exactly this name."""
    predicate = {"operation": "EQUALS", "key": "display_name", "string_value": name}
    return json.dumps({"predicates": [predicate]})


def run_of(told: Mapping[str, Any]) -> KfpRun:
    return KfpRun(
        id=told["run_id"],
        name=told.get("display_name", ""),
        state=told.get("state") or "RUNTIME_STATE_UNSPECIFIED",
        created_at=datetime.fromisoformat(told["created_at"]).astimezone(UTC),
        error=error_of(told),
    )


def error_of(told: Mapping[str, Any]) -> str:
    """The sentence of the first task that failed, else the run's own."""
    tasks = (told.get("run_details") or {}).get("task_details") or []
    for task in sorted(tasks, key=lambda one: one.get("end_time") or "9"):
        said = (task.get("error") or {}).get("message")
        if task.get("state") == "FAILED" and said:
            return f"step '{task.get('display_name', '')}' failed: {' '.join(said.split())}"
    return " ".join(((told.get("error") or {}).get("message") or "").split())
