"""What the docs say that a run's service account may do, for workers and for steps in pods of their own."""

import re
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).parents[2] / "docs"


def documented_rules(page: str = "features-and-model.md") -> list[dict[str, Any]]:
    text = (DOCS / page).read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml rules\n(.*?)```", text, re.DOTALL)
    found: list[dict[str, Any]] = yaml.safe_load(block)["rules"]
    return found
