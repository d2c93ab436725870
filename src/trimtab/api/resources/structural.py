"""A pydantic model as a structural OpenAPI schema: the form that the API server accepts for a custom resource.

What it refuses and pydantic emits is translated: `$ref` is written out, `anyOf` with null becomes an optional (or,
where null means something, nullable) field, `const` becomes `enum`, bounds of decimal strings become CEL.
Spec strings and lists all have a greatest length, without which the API server refuses CEL rules as too dear. A status
carries types alone: its writer is the operator, and no text that it has to say may make the write fail.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from trimtab.api.resources.manual import FIELDS
from trimtab.api.resources.rules import REPLACED, Rule, rules_of

Schema = dict[str, Any]

LIST_KEYS: Final[Mapping[str, list[str]]] = {
    "Step": ["name"],
    "Check": ["name"],
    "PolicyTrigger": ["name"],
    "Parameter": ["name"],
    "Condition": ["type"],
}
"""Lists that are maps: server-side apply merges them by these keys, and two of one key are refused."""

_UNBOUNDED: Final = ("enum", "maxLength")
_BOUNDS: Final = {Ge: ">=", Gt: ">", Le: "<=", Lt: "<"}
_WORDS: Final = {">=": "at least", ">": "above", "<=": "at most", "<": "below"}


class NotStructural(Exception):
    """A model holds what no API server would accept; says where."""


def structural(model: type[BaseModel], *, status: bool = False) -> Schema:
    """The schema of a model's JSON.

    Raises:
        NotStructural: a spec's field lacks a greatest length or a description, or is a union.
    """
    raw = model.model_json_schema(by_alias=True, mode="serialization")
    return _Writer(raw.get("$defs", {}), {cls.__name__: cls for cls in models_in(model)}, status).model(
        model, raw
    )


class _Writer:
    def __init__(
        self, defs: Mapping[str, Schema], models: Mapping[str, type[BaseModel]], status: bool
    ) -> None:
        self.defs, self.models, self.status = defs, models, status

    def model(self, model: type[BaseModel], raw: Schema) -> Schema:
        properties: Schema = {}
        for name, field in model.model_fields.items():
            alias = field.serialization_alias or field.alias or name
            node = self.node(raw["properties"][alias], f"{model.__name__}.{name}")
            node = REPLACED.get((model.__name__, name), {}) | node
            node["description"] = self.description(model, name, field, node.get("description", ""))
            if not self.status and (bounds := list(_decimal_bounds(field))):
                node["x-kubernetes-validations"] = [_bound_rule(bounds)]
            node["x-kubernetes-validations"] = [
                *node.get("x-kubernetes-validations", []),
                *(rule.as_schema() for rule in rules_of(model, name, self.status)),
            ]
            properties[alias] = _in_order(node)
        schema: Schema = {"type": "object", "description": summary(model)}
        if properties:
            schema["properties"] = properties
        if required := self.required(model, raw):
            schema["required"] = required
        if rules := [rule.as_schema() for rule in rules_of(model, None, self.status)]:
            schema["x-kubernetes-validations"] = rules
        return schema

    def required(self, model: type[BaseModel], raw: Schema) -> list[str]:
        keys = LIST_KEYS.get(model.__name__, [])
        return [name for name in raw.get("required", []) if not self.status or name in keys]

    def node(self, raw: Schema, where: str) -> Schema:
        raw = {key: value for key, value in raw.items() if key != "title"}
        default = _without_nulls(raw.pop("default", None))
        schema = self.typed(raw, where)
        if default is not None and not self.status:
            schema["default"] = default
        if schema.get("nullable") and default is None and not self.status:
            del schema["nullable"]
        return schema

    def typed(self, raw: Schema, where: str) -> Schema:
        if "$ref" in raw:
            name = raw["$ref"].removeprefix("#/$defs/")
            if name in self.models:
                return self.model(self.models[name], self.defs[name])
            return self.typed({k: v for k, v in self.defs[name].items() if k != "title"}, where)
        if "anyOf" in raw:
            members = [one for one in raw["anyOf"] if one.get("type") != "null"]
            if all("enum" in one for one in members):
                values = list(dict.fromkeys(value for one in members for value in one["enum"]))
                members = [{"type": "string", "enum": values}]
            if len(members) != 1:
                raise NotStructural(f"{where} is a union")
            return self.typed(members[0], where) | {"nullable": True}
        if "const" in raw:
            raw = {"type": raw["type"], "enum": [raw["const"]]}
        if raw.get("type") == "array":
            return self.array(raw, where)
        if raw.get("type") == "object":
            return self.mapping(raw, where)
        if self.status:
            return {"type": raw["type"]}
        if raw["type"] == "string" and not any(key in raw for key in _UNBOUNDED):
            raise NotStructural(f"{where} has no greatest length")
        return raw

    def array(self, raw: Schema, where: str) -> Schema:
        item = raw["items"]
        schema: Schema = {"type": "array", "items": self.node(item, where)}
        schema["items"].pop("description", None)
        keys = LIST_KEYS.get(item.get("$ref", "").removeprefix("#/$defs/"))
        schema |= (
            {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys}
            if keys
            else {"x-kubernetes-list-type": "atomic"}
        )
        if self.status:
            return schema
        if "maxItems" not in raw:
            raise NotStructural(f"{where} has no greatest number of items")
        return schema | {key: raw[key] for key in ("minItems", "maxItems") if key in raw}

    def mapping(self, raw: Schema, where: str) -> Schema:
        inner = raw.get("additionalProperties", True)
        if inner is True:
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        schema = {"type": "object", "additionalProperties": self.node(inner, where)}
        return schema | ({"maxProperties": raw["maxProperties"]} if "maxProperties" in raw else {})

    def description(self, model: type[BaseModel], name: str, field: FieldInfo, own: str) -> str:
        text = field.description or attribute(model, name) or FIELDS.get((_owner(model, name), name), "")
        text = sentence(text) if text else ""
        if not text and not own and not self.status:
            raise NotStructural(f"{model.__name__}.{name} has no description")
        return f"{text} {own}".strip() if own not in text else text


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that a model or annotation is made of, itself included."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)
    for inner in getattr(annotation, "__args__", ()):
        yield from models_in(inner)


def summary(model: type[Any]) -> str:
    """A docstring without its sections and examples, as one line."""
    text = (model.__doc__ or "").split("\n    Attributes:")[0].split(">>>")[0]
    return " ".join(text.replace("`", "").split())


def attribute(model: type[BaseModel], name: str) -> str:
    """What a model, or one that it extends, says of a field under `Attributes:`."""
    for cls in model.__mro__:
        for names, text in _attributes(cls.__doc__ or ""):
            if name in names:
                return text
    return ""


def _attributes(doc: str) -> Iterator[tuple[list[str], str]]:
    section = re.search(r"\n    Attributes:\n((?:        .*\n?|\s*\n)+)", doc)
    for entry in re.findall(
        r"        (\w[\w, ]*): ((?:.*\n?)(?:            .*\n?)*)", section[1] if section else ""
    ):
        yield [one.strip() for one in entry[0].split(",")], " ".join(entry[1].replace("`", "").split())


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", ")")) and not text.endswith("…)") else f"{text}."


def _in_order(schema: Schema) -> Schema:
    """What a person looks for first, first; nothing that is empty."""
    first = {key: schema[key] for key in ("description", "type") if schema.get(key)}
    rest = {key: value for key, value in schema.items() if key not in ("description", "type")}
    return first | {key: value for key, value in rest.items() if key != "x-kubernetes-validations" or value}


def _owner(model: type[BaseModel], name: str) -> str:
    """The class that declares a field."""
    return next(
        cls.__name__ for cls in reversed(model.__mro__) if name in getattr(cls, "__annotations__", {})
    )


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    return value


def _decimal_bounds(field: FieldInfo) -> Iterator[Any]:
    if Decimal in _leaves(field.annotation):
        yield from (one for one in _metadata(field) if type(one) in _BOUNDS)


def _metadata(field: Any) -> Iterator[Any]:
    for one in getattr(field, "metadata", ()):
        yield from _metadata(one) if isinstance(one, FieldInfo) else (one,)
    for inner in getattr(getattr(field, "annotation", field), "__args__", ()):
        yield from _metadata(inner) if hasattr(inner, "__metadata__") else ()
    yield from (
        inner
        for one in getattr(field, "__metadata__", ())
        for inner in (_metadata(one) if isinstance(one, FieldInfo) else (one,))
    )


def _leaves(annotation: Any) -> set[Any]:
    inner = getattr(annotation, "__args__", ())
    return set().union(*map(_leaves, inner)) if inner else {annotation}


def _bound_rule(bounds: list[Any]) -> Schema:
    terms = [(_BOUNDS[type(one)], float(one.__getattribute__(type(one).__name__.lower()))) for one in bounds]
    rule = " && ".join(f"double(self) {sign} {value}" for sign, value in terms)
    return Rule(
        rule, "must be " + " and ".join(f"{_WORDS[sign]} {value:g}" for sign, value in terms)
    ).as_schema()
