"""Drift by feature, window by window: how near each came to the threshold that its reference asks for."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from trimtab.drift import figures
from trimtab.local.demo.report import words
from trimtab.local.demo.report.told import Told, when


def heat(told: Told) -> dict[str, Any] | None:
    """What the template draws; None where no window closed."""
    windows: Sequence[Mapping[str, Any]] = told.story["drift"]
    if not windows:
        return None
    columns = [{one["column"]: one for one in window["columns"]} for window in windows]
    return {
        "windows": [head(told, windows, place) for place in range(len(windows))],
        "rows": [
            {
                "column": name,
                "seasonal": next(
                    (one[name]["seasonal"] for one in columns if name in one and one[name]["seasonal"]), None
                ),
                "cells": [
                    cell(told, window, by_name.get(name))
                    for window, by_name in zip(windows, columns, strict=True)
                ],
            }
            for name in in_order(columns)
        ],
        "trips": [
            {"state": trip_state(one), "text": f"{dates(told, one)}: {one['because']}"} for one in windows
        ],
        "trip": told.story["project"]["monitor"]["trip"],
        "days": round((when(windows[0]["end"]) - when(windows[0]["start"])).total_seconds() / 86_400),
    }


def in_order(columns: Sequence[Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Counted features first, then seasonal ones; the farthest from home first."""
    severities: dict[str, list[float]] = {}
    seasonal = set()
    for window in columns:
        for name, one in window.items():
            severities.setdefault(name, []).append(one["severity"])
            if one["seasonal"]:
                seasonal.add(name)
    return sorted(severities, key=lambda name: (name in seasonal, -fmean(severities[name])))


def head(told: Told, windows: Sequence[Mapping[str, Any]], place: int) -> dict[str, Any]:
    """A window's column head: its month where one begins, and whether another revision is the reference."""
    start = when(windows[place]["start"]).astimezone(told.zone)
    before = when(windows[place - 1]["start"]).astimezone(told.zone) if place else None
    revision = windows[place]["revision"]
    return {
        "month": f"{start:%b}" if before is None or before.month != start.month else "",
        "new": place == 0 or windows[place - 1]["revision"] != revision,
        "name": told.name(revision),
        "colour": told.colour(revision),
    }


def cell(told: Told, window: Mapping[str, Any], one: Mapping[str, Any] | None) -> dict[str, Any]:
    if one is None or one["drifted"] is None:
        note = one["note"] if one else "not a feature of this revision"
        return {"level": 0, "pale": False, "over": False, "text": f"{dates(told, window)}: {note}"}
    measured = f"{one['measure'].replace('_', ' ')} {figures.number(one['value'])}"
    text = f"{one['column']}, {dates(told, window)}: {measured}, threshold {figures.number(one['threshold'])}"
    return {
        "level": min(4, int(one["severity"] * 2) + 1),
        "pale": bool(one["seasonal"]),
        "over": bool(one["drifted"]) and not one["seasonal"],
        "text": text + (f"; seasonal: {one['seasonal']}" if one["seasonal"] else ""),
    }


def trip_state(window: Mapping[str, Any]) -> str:
    if window["tripped"] is None:
        return "none"
    return "yes" if window["tripped"] else ""


def dates(told: Told, window: Mapping[str, Any]) -> str:
    start, end = when(window["start"]), when(window["end"])
    return f"{words.short_day(start, told.zone)} to {words.short_day(end, told.zone)}"
