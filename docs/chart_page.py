"""The chart's schema and page, both made from the comments of its values.yaml.

The comment lines right above a key say what it means; a line `@schema {…}` among them adds what a type does not say.
`config` is the operator's own configuration: its schema is that of operators.drift.config.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

SCHEMA: Final = "@schema "
FILLED_IN: Final = ("namespaces",)
"""What the chart writes into the operator's configuration itself."""
OPENING: Final = """<!-- Generated from helm/trimtab/values.yaml by `make generate`. -->
# The chart of trimtab

The operator, its three kinds, rights, admission policies and network policies; where the cluster knows their kinds,
monitors, alerts and a ServingRuntime; Grafana dashboards if asked for. How to install, upgrade and uninstall:
[docs/install.md](../../docs/install.md).

```
kubectl create namespace trimtab-system
kubectl label namespace trimtab-system pod-security.kubernetes.io/enforce=restricted
helm install trimtab helm/trimtab -n trimtab-system -f my-values.yaml
helm test trimtab -n trimtab-system
```

A key that is not below is refused, with its path.

| value | type | default | meaning |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Value:
    """One key of values.yaml.

    Attributes:
        path: from the top.
        default: as it stands.
        meaning: its comment, as one line.
        more: what @schema adds.
        inner: its keys, where it is a section.
    """

    path: tuple[str, ...]
    default: Any
    meaning: str
    more: Mapping[str, Any] = field(default_factory=dict)
    inner: tuple["Value", ...] = ()


def read_values(path: Path) -> tuple[Value, ...]:
    """
    Raises:
        ValueError: a value has no comment.
    """
    text = path.read_text(encoding="utf-8")
    node = yaml.compose(text)
    assert isinstance(node, yaml.MappingNode)
    return tuple(_values(node, (), text.splitlines(), yaml.safe_load(text)))


def _values(
    node: yaml.MappingNode, above: tuple[str, ...], lines: list[str], defaults: Any
) -> Iterator[Value]:
    for key, value in node.value:
        path = (*above, key.value)
        meaning, more = _comment(lines, key.start_mark.line)
        default = defaults[key.value]
        free = {"additionalProperties", "properties"} & {*more}
        if isinstance(value, yaml.MappingNode) and value.value and not free:
            if not meaning:
                raise ValueError(f"values.yaml: section {'.'.join(path)} has no comment")
            yield Value(path, default, meaning, more, tuple(_values(value, path, lines, default)))
            continue
        if not meaning:
            raise ValueError(f"values.yaml: {'.'.join(path)} has no comment")
        yield Value(path, default, meaning, more)


def _comment(lines: list[str], at: int) -> tuple[str, dict[str, Any]]:
    """(text, what @schema says) of the comment that ends above line `at`."""
    said: list[str] = []
    more: dict[str, Any] = {}
    while at and lines[at - 1].lstrip().startswith("#"):
        at -= 1
        line = lines[at].lstrip().removeprefix("#").strip()
        if line.startswith(SCHEMA):
            more = json.loads(line.removeprefix(SCHEMA))
        else:
            said.insert(0, line)
    return " ".join(said), more


def values_schema(path: Path) -> str:
    """values.schema.json."""
    made = _section(read_values(path), "")
    made["properties"]["config"] = _configuration(made["properties"]["config"]["description"])
    made["properties"]["global"] = {"type": "object", "description": "Helm's own; nothing here reads it."}
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Generated from helm/trimtab/values.yaml by `make generate`.",
        "title": "Values of the chart trimtab",
    }
    return json.dumps(head | made, indent=1, ensure_ascii=False) + "\n"


def _section(values: tuple[Value, ...], meaning: str) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "description": meaning} if meaning else {"type": "object"}
    return made | {
        "additionalProperties": False,
        "properties": {one.path[-1]: _property(one) for one in values},
    }


def _property(value: Value) -> dict[str, Any]:
    if value.inner:
        return _section(value.inner, value.meaning)
    return {"type": _type(value.default), "description": value.meaning, **value.more}


def _type(default: Any) -> str:
    names = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}
    return names[type(default)]


def _configuration(meaning: str) -> dict[str, Any]:
    """The operator's configuration; it has the $refs written out, and no defaults: the operator has them."""
    from operators.drift.config import Configuration
    from trimtab.api.resources.structural import attribute, models_in, sentence

    raw = Configuration.model_json_schema(by_alias=True)
    defs, models = raw["$defs"], {model.__name__: model for model in models_in(Configuration)}

    def plain(schema: Any, model: type[Any] | None) -> Any:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return plain(defs[name], models[name])
        if "anyOf" in schema:
            return plain(next(one for one in schema["anyOf"] if one.get("type") != "null"), None)
        made = {
            k: v for k, v in schema.items() if k not in ("title", "default", "description", "$defs", "format")
        }
        if "items" in made:
            made["items"] = plain(made["items"], None)
        if "properties" in made:
            made["properties"] = {
                key: _described(plain(inner, None), model, key)
                for key, inner in made["properties"].items()
                if not (model is Configuration and key in FILLED_IN)
            }
        return made

    def _described(schema: dict[str, Any], model: type[Any] | None, key: str) -> dict[str, Any]:
        text = attribute(model, re.sub(r"(?<!^)(?=[A-Z])", "_", key).lower()) if model else ""
        return ({"description": sentence(text)} if text else {}) | schema

    made: dict[str, Any] = plain(raw, Configuration)
    return {"description": meaning} | made


def chart_page(path: Path) -> str:
    """The chart's README.md."""
    return OPENING + "".join(f"{row}\n" for one in read_values(path) for row in _rows(one))


def _rows(value: Value) -> Iterator[str]:
    name, meaning = ".".join(value.path), value.meaning.replace("|", "\\|")
    if value.inner:
        yield f"| `{name}` | section | | {meaning} |"
        for one in value.inner:
            yield from _rows(one)
        return
    kind = " \\| ".join(f"`{one}`" for one in value.more.get("enum", ())) or _type(value.default)
    yield f"| `{name}` | {kind} | `{json.dumps(value.default)}` | {meaning} |"
