"""Every single field of a manifest, broken in every way that its schema knows."""

import copy
from collections.abc import Iterator
from typing import Any, Final

from tests.cluster.control_plane.crd_objects import GONE, Json, changed


def spoiled(base: Json, schema: Json) -> Iterator[tuple[str, Json]]:
    """Each field of a good manifest wrong in every way that its schema knows."""
    for path, field, required in _fields(base["spec"], schema["properties"]["spec"], "spec"):
        for what, value in _wrong(_at(base, path), field):
            yield f"{base['kind']} {path}: {what}", changed(base, {path: value})
        if required:
            yield f"{base['kind']} {path}: missing", changed(base, {path: GONE})


def all_fields(schema: Json, path: str = "spec") -> Iterator[str]:
    """Every field that a schema knows, lists without their numbers."""
    for key, field in schema.get("properties", {}).items():
        yield f"{path}.{key}"
        yield from all_fields(field, f"{path}.{key}")
    if items := schema.get("items"):
        yield from all_fields(items, path)


def fields_of(base: Json, schema: Json) -> set[str]:
    """Those that a manifest has, in the same words."""
    return {
        ".".join(part for part in path.split(".") if not part.isdigit())
        for path, _, _ in _fields(base["spec"], schema["properties"]["spec"], "spec")
    }


def _at(base: Json, path: str) -> Any:
    value: Any = base
    for part in path.split("."):
        value = value[int(part) if part.isdigit() else part]
    return value


def _fields(value: Any, schema: Json, path: str) -> Iterator[tuple[str, Json, bool]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if field := schema.get("properties", {}).get(key) or schema.get("additionalProperties"):
                yield f"{path}.{key}", field, key in schema.get("required", [])
                yield from _fields(inner, field, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield f"{path}.{index}", schema["items"], False
            yield from _fields(inner, schema["items"], f"{path}.{index}")


WRONG_TYPES: Final[dict[str, tuple[Any, ...]]] = {
    "string": (5, 0.5, True, {}, []),
    "integer": ("5", 5.5, True, {}, []),
    "boolean": ("true", 1, "yes", {}, []),
    "object": ("x", 5, True, []),
    "array": ("x", 5, True, {}),
}


def _wrong(value: Any, schema: Json) -> Iterator[tuple[str, Any]]:
    for wrong in WRONG_TYPES[schema["type"]]:
        yield f"{wrong!r} for {schema['type']}", wrong
    if "enum" in schema and schema["type"] == "string":
        yield from (
            ("another word", "Nonesuch"),
            ("no word", ""),
            ("other case", schema["enum"][0].swapcase()),
        )
    if "minimum" in schema:
        yield "too small", schema["minimum"] - 1
    if "maximum" in schema:
        yield "too great", schema["maximum"] + 1
    if "maxItems" in schema and value:
        many = [copy.deepcopy(value[0]) for _ in range(schema["maxItems"] + 1)]
        for index, one in enumerate(many if isinstance(value[0], dict) and "name" in value[0] else ()):
            one["name"] = f"{value[0]['name']}{index}"
        yield "too many", many
    if "maxLength" in schema:
        yield "too long", (value or "1") + value[-1:] * schema["maxLength"] + "0" * schema["maxLength"]
    if "pattern" in schema:
        for what, text in (
            ("unicode", "é"),
            ("full-width digits", "１２"),
            ("blank", " "),
            ("line end", "\n"),
        ):
            yield f"{what} at its end", value + text
            yield f"{what} at its start", text + value
