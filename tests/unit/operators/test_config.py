"""The configuration is judged whole, and each wrong field is named by its path."""

import json
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from operators.drift.config import Configuration, load
from operators.drift.main import main
from trimtab.api.errors import InputRefused


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_written_is_the_default(tmp_path: Path) -> None:
    assert load(None) == load(written(tmp_path, "")) == Configuration()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = load(
        written(
            tmp_path,
            "tick: 2s\nlease: {duration: 20s}\n"
            "providers: {mlflow: [{name: models, url: 'http://mlflow:5000', namespaces: [a]}]}\n",
        )
    )
    assert (found.tick, found.lease.duration) == (timedelta(seconds=2), timedelta(seconds=20))
    (provider,) = found.providers.mlflow
    assert provider.allows("a")
    assert not provider.allows("b")


def test_every_wish_about_collectors_reaches_their_settings(tmp_path: Path) -> None:
    """One that is written and has no effect would be a lie."""
    wished = {
        "image": "registry.example.com/op:1", "storage": "5Gi", "storageClass": "fast", "cpu": "1", "memory": "1Gi",
        "keepDays": 7, "imagePullPolicy": "Always", "imagePullSecrets": ["registry"], "nodeSelector": {"disk": "ssd"},
        "networkPolicy": True,
    }  # fmt: skip
    found = load(written(tmp_path, json.dumps({"collector": wished}))).collector.settings("mine")
    default = Configuration().collector.settings("mine")
    unmoved = [f.name for f in fields(found) if getattr(found, f.name) == getattr(default, f.name)]
    assert unmoved == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("tick: 0s", "tick"),
        ("workers: 0", "workers"),
        ("lease: {duration: 5s, renewDeadline: 5s}", "lease"),
        ("providers: {mlflow: [{name: m, url: 'ftp://x'}]}", "providers.mlflow[0].url"),
        ("providers: {mlflow: [{name: m, url: 'http://me:secret@x'}]}", "providers.mlflow[0].url"),
        ("providers: {mlflow: [{name: m, url: 'http://x'}, {name: m, url: 'http://y'}]}", "providers"),
        ("collector: {storage: lots}", "collector.storage"),
        ("listen: {port: 70000}", "listen.port"),
        ("nonsense: 1", "nonsense"),
        ("namespaces: [Upper]", "namespaces[0]"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, text: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(InputRefused) as refused:
        load(file)
    assert path in str(refused.value)
    assert main(["--config", str(file), "--check"]) != 0
    assert path in capsys.readouterr().err


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="cannot be read"):
        load(tmp_path / "none.yaml")
