"""docs/reference/resources.md: every field of the custom resources, from the schemas that the API server is given."""

from collections.abc import Iterator
from typing import Any

from trimtab.api.resources import GROUP, RESOURCES, VERSION
from trimtab.api.resources.crd import definition

OPENING = f"""<!-- Generated from src/trimtab/api/resources by `make generate`. -->
# The custom resources

Group `{GROUP}`, version `{VERSION}`; `kubectl explain KIND.spec --recursive` says the same on a cluster. A number
that is not whole is a string in quotes, since API servers have no floats to rely on; a duration is such as `7d`,
`1h30m`, `30s`. A field marked * is required. What a manifest may not say, the API server refuses with the reason;
only that a time zone exists, and that what a field names is there, is found out later and stands in
`status.conditions`.
"""


def resource_page() -> str:
    """The page as Markdown."""
    return "\n".join([OPENING, *(line for resource in RESOURCES for line in _kind(definition(resource)))])


def _kind(crd: dict[str, Any]) -> Iterator[str]:
    names = crd["spec"]["names"]
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    yield f"## {names['kind']} (`{names['shortNames'][0]}`)\n"
    yield f"{schema['description']}\n"
    for part in ("spec", "status"):
        yield f"### {names['kind']}.{part}\n"
        yield f"{schema['properties'][part].get('description', '')}\n"
        yield "| field | type | default | meaning |\n|---|---|---|---|"
        yield from _rows(schema["properties"][part], "")
        yield ""
    rules = list(_rules(schema["properties"]["spec"], ""))
    yield f"### What {names['kind']} refuses, beside wrong types\n"
    yield from (f"- {where}: {message}" for where, message in rules)
    yield ""


def _rows(schema: dict[str, Any], prefix: str) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        star = "*" if name in schema.get("required", []) else ""
        inner = field.get("items", field)
        many = "[]" if field.get("type") == "array" else ""
        path = f"{prefix}{name}{many}"
        default = _shown(field["default"]) if "default" in field else ""
        meaning = field.get("description", "").replace("|", "\\|")
        yield f"| `{path}`{star} | {_type(field)} | {default} | {meaning} |"
        yield from _rows(inner, f"{path}.")


def _shown(default: Any) -> str:
    if isinstance(default, dict | list):
        return (
            "see its fields" if default and isinstance(default, dict) else ("a list" if default else "none")
        )
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " \\| ".join(
            f"`{str(one).lower() if isinstance(one, bool) else one}`" for one in field["enum"]
        )
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}"
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None or high is not None:
        return f"{field['type']}, {'' if low is None else low}–{'' if high is None else high}"
    return str(field["type"])


def _rules(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", []):
        yield f"`spec{path}`", rule["message"]
    for name, field in schema.get("properties", {}).items():
        yield from _rules(field.get("items", field), f"{path}.{name}{'[]' if 'items' in field else ''}")
        if "items" in field:
            yield from (
                (f"`spec{path}.{name}`", one["message"]) for one in field.get("x-kubernetes-validations", [])
            )
