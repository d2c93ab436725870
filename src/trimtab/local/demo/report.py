"""The demo's report: one self-contained page."""

import json
from collections.abc import Mapping
from typing import Any


def html(story: Mapping[str, Any]) -> str:
    """The page for a story as `trimtab.local.demo.result` writes it."""
    return f"<!doctype html><meta charset=utf-8><title>trimtab</title><pre>{json.dumps(story['result'], indent=1)}</pre>"
