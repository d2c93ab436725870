"""Pipelines, their versions and recurring runs on a Kubeflow Pipelines server.

A version is named by its content, so the same file twice is one version. A recurring run cannot be changed on the
server: the new one is made before the old one goes, and whoever was killed in between asks again.
"""

import hashlib
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trimtab.adapters.kfp_server.server import Exists, KfpServer, Missing, named, reference
from trimtab.api.errors import InputRefused


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a pipeline.

    Attributes:
        pipeline, id: the server's ids.
        made: it was not there before.
    """

    pipeline: str
    id: str
    name: str
    made: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """A recurring run as it is wanted.

    Attributes:
        cron: six fields, the seconds first, as the server reads it (robfig/cron v1).
        account: service account of its runs.
    """

    name: str
    cron: str
    parameters: Mapping[str, Any]
    account: str


@dataclass(frozen=True, slots=True)
class Recurring:
    """A recurring run as the server tells it."""

    id: str
    name: str
    cron: str
    version: str
    parameters: Mapping[str, Any]
    account: str
    mode: str


class KfpPublisher:
    """Publishes one project's pipelines. Raises as KfpServer does.

    Args:
        project: its name; it stands in the description of its pipelines.
    """

    def __init__(self, server: KfpServer, project: str) -> None:
        self._server, self._project = server, project

    def publish(self, pipeline: str, ir: bytes, about: str) -> Version:
        """The version of this content; uploaded if it is not there.

        Args:
            pipeline: the name; the pipeline is made if there is none.
            ir: the compiled file.
            about: what the pipeline does, for the UI.

        Raises:
            InputRefused: a pipeline of this name is there, and is not this project's.
        """
        identity, name = self._pipeline(pipeline, about), version_name(ir)
        found = self._version(identity, name)
        if found:
            return Version(identity, found, name, made=False)
        query = urllib.parse.urlencode({"name": name, "display_name": name, "pipelineid": identity})
        kind, body = form(f"{name}.yaml", ir)
        try:
            made = self._server.send(
                "POST", f"/pipelines/upload_version?{query}", body, {"content-type": kind}
            )
            return Version(identity, str(made["pipeline_version_id"]), name, made=True)
        except Exists:
            return Version(identity, self._version(identity, name), name, made=False)

    def schedules(self, experiment: str, name: str = "") -> list[Recurring]:
        """Recurring runs of an experiment, those of one name if one is given, the newest first."""
        query = {"experiment_id": experiment} | ({"filter": named(name)} if name else {})
        told = self._server.listed("/recurringruns", "recurringRuns", query)
        return [recurring_of(one) for one in sorted(told, key=lambda one: one["created_at"], reverse=True)]

    def schedule(self, experiment: str, version: Version, wanted: Schedule) -> tuple[Recurring, bool]:
        """Have exactly one recurring run of this name, as it is wanted; and whether that changed anything."""
        held = self.schedules(experiment, wanted.name)
        kept = next((one for one in held if same(one, version, wanted)), None)
        made = kept or self._make(experiment, version, wanted)
        surplus = [one for one in held if one.id != made.id]
        self._delete(surplus)
        return made, kept is None or bool(surplus)

    def unschedule(self, experiment: str, name: str) -> int:
        """Delete every recurring run of this name; how many there were."""
        held = self.schedules(experiment, name)
        self._delete(held)
        return len(held)

    def _pipeline(self, name: str, about: str) -> str:
        mark = f"trimtab project {self._project}: "
        for _ in range(2):
            try:
                found = self._server.ask(f"/pipelines/names/{urllib.parse.quote(name, safe='')}", {})
            except Missing:
                try:
                    body = {"name": name, "display_name": name, "description": f"{mark}{about}"}
                    body |= {"namespace": self._server.namespace} if self._server.namespace else {}
                    return str(self._server.send("POST", "/pipelines", body)["pipeline_id"])
                except Exists:
                    continue
            if not str(found.get("description") or "").startswith(mark):
                raise InputRefused(
                    f"there is a pipeline '{name}' already that is not of project {self._project}: "
                    f"{found.get('description') or 'it has no description'}",
                    remedy="publish under another name: --name",
                )
            return str(found["pipeline_id"])
        raise InputRefused(
            f"pipeline '{name}' is there and cannot be seen", remedy="publish under another name: --name"
        )

    def _version(self, pipeline: str, name: str) -> str:
        """The id of a version; "" if there is none."""
        told = self._server.listed(
            f"/pipelines/{urllib.parse.quote(pipeline, safe='')}/versions",
            "pipeline_versions",
            {"filter": named(name)},
            namespaced=False,
        )
        return str(told[0]["pipeline_version_id"]) if told else ""

    def _make(self, experiment: str, version: Version, wanted: Schedule) -> Recurring:
        body = {
            "display_name": wanted.name,
            "description": f"trimtab project {self._project}",
            "experiment_id": experiment,
            "pipeline_version_reference": reference(version.pipeline, version.id),
            "runtime_config": {"parameters": dict(wanted.parameters)},
            "service_account": wanted.account,
            "trigger": {"cron_schedule": {"cron": wanted.cron}},
            "max_concurrency": "1",
            "mode": "ENABLE",
            "no_catchup": True,
        } | ({"namespace": self._server.namespace} if self._server.namespace else {})
        return recurring_of(self._server.send("POST", "/recurringruns", body))

    def _delete(self, gone: Sequence[Recurring]) -> None:
        for one in gone:
            try:
                self._server.send("DELETE", f"/recurringruns/{urllib.parse.quote(one.id, safe='')}")
            except Missing:
                continue


def version_name(ir: bytes) -> str:
    """A version's name: the digest of its content.

    >>> version_name(b"components: {}")
    '52a85f9b06ac9b9a'
    """
    return hashlib.sha256(ir).hexdigest()[:16]


def form(file: str, content: bytes) -> tuple[str, bytes]:
    """Content type and body of an upload (RFC 7578)."""
    boundary = hashlib.sha256(content).hexdigest()
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="uploadfile"; filename="{file}"\r\n'
        "Content-Type: application/yaml\r\n\r\n"
    )
    return (
        f"multipart/form-data; boundary={boundary}",
        head.encode() + content + f"\r\n--{boundary}--\r\n".encode(),
    )


def same(held: Recurring, version: Version, wanted: Schedule) -> bool:
    """Whether a recurring run is already as it is wanted."""
    return (held.version, held.cron, held.parameters, held.account, held.mode) == (
        version.id, wanted.cron, wanted.parameters, wanted.account, "ENABLE"
    )  # fmt: skip


def recurring_of(told: Mapping[str, Any]) -> Recurring:
    trigger = (told.get("trigger") or {}).get("cron_schedule") or {}
    return Recurring(
        id=str(told["recurring_run_id"]),
        name=told.get("display_name", ""),
        cron=trigger.get("cron", ""),
        version=str((told.get("pipeline_version_reference") or {}).get("pipeline_version_id", "")),
        parameters=(told.get("runtime_config") or {}).get("parameters") or {},
        account=told.get("service_account", ""),
        mode=told.get("mode", ""),
    )
