"""The demo's page: complete, self-contained, and safe to open whatever the events say."""

import copy
import re
from datetime import datetime
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from trimtab.local.demo.report import html

VOID = {"meta", "br", "link", "img", "input", "hr", "col"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails where tags do not close as they opened."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def attributes(page: Page, name: str) -> list[str]:
    return [str(attrs[name]) for _, attrs in page.tags if name in attrs]


def test_every_tag_closes_as_it_opened(story: dict[str, Any]) -> None:
    assert Page(html(story)).open == []


def test_the_page_loads_nothing_and_runs_nothing(story: dict[str, Any]) -> None:
    text = html(story)
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "image", "use"}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert all(target.startswith("#") for target in attributes(page, "href"))
    assert attributes(page, "src") == []
    assert re.findall(r"url\(([^)]*)\)", text) == re.findall(r"url\((#hatch)\)", text)
    assert "@import" not in text
    assert "http://" not in text
    assert "https://" not in text


def test_every_link_leads_somewhere_and_no_name_is_given_twice(story: dict[str, Any]) -> None:
    page = Page(html(story))
    names = attributes(page, "id")
    assert len(names) == len(set(names))
    assert {target.removeprefix("#") for target in attributes(page, "href")} <= set(names)


def test_each_decision_has_a_card_with_what_the_loop_said(story: dict[str, Any]) -> None:
    text = Page(html(story)).text
    for event in story["events"]:
        if event["kind"] in ("Rejected", "PerformanceDropped"):
            assert event["because"][1:] in text
    for title in (
        "Alarm: v1 predicts worse",
        "Training run: v2",
        "Rollout of v4",
        "Rollout of v5",
        "Rollout of v6",
    ):
        assert title in text
    assert text.count("refused by its gates") >= 2


def test_every_event_is_in_the_log(story: dict[str, Any]) -> None:
    text = Page(html(story)).text
    assert all(event["because"] in text and event["kind"] in text for event in story["events"])


def test_a_check_shows_estimate_bounds_margin_units_and_error_rates(story: dict[str, Any]) -> None:
    last = [one for one in story["bounds"] if one["check"] == "loss" and one["revision"] == "a1b2c3d4"][-1]
    text = Page(html(story)).text
    for number in (last["estimate"], last["lower"], last["upper"], last["margin"]):
        assert f"{number:+.3f}".replace("-", "\N{MINUS SIGN}") in text
    assert f"{last['units']} local days, {last['rows']:,} flights" in text
    assert "0.05, 0.05" in text


def test_the_second_candidate_since_a_promotion_passes_at_half_the_rate(story: dict[str, Any]) -> None:
    for one in story["bounds"]:
        one["entered"] = 2
    assert "0.05, 0.025" in Page(html(story)).text


def test_the_forced_candidate_is_named_as_forced_and_its_gate_is_quoted(story: dict[str, Any]) -> None:
    text = Page(html(story)).text
    assert "This candidate was forced." in text
    assert "What its gate had said: roc_auc is 0.652, asked is at least 0.68." in text
    assert "One candidate, December's, was forced" in text


def test_without_a_forced_candidate_none_is_spoken_of(story: dict[str, Any]) -> None:
    for version in story["versions"]:
        version["tags"]["trimtab.because"] = "passed"
    assert "forced" not in Page(html(story)).text


def test_a_refit_that_is_merely_no_worse_is_called_that(story: dict[str, Any]) -> None:
    for one in story["bounds"]:
        if one["check"] == "loss" and one["revision"] == "5e6f7a8b":
            one["upper"] = 0.015
    assert "Here the bounds do not show that it is better." in " ".join(Page(html(story)).text.split())


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'></style><b>&amp;"


@pytest.mark.parametrize("field", ["because", "kind", "revision"])
def test_hostile_text_of_an_event_stays_text(story: dict[str, Any], field: str) -> None:
    for event in story["events"]:
        if field != "kind" or event["kind"] == "EpisodeClosed":
            event[field] = HOSTILE
    plain = Page(html(story))
    assert HOSTILE in plain.text
    assert not {"script", "img"} & {tag for tag, _ in plain.tags}


def test_hostile_names_and_tags_stay_text(story: dict[str, Any]) -> None:
    story["names"] = dict.fromkeys(story["names"], HOSTILE)
    for version in story["versions"]:
        version["tags"] |= {"trimtab.bundle": HOSTILE, "trimtab.refused": HOSTILE}
    for one in story["result"]["refusals"]:
        one["because"] = HOSTILE
    for window in story["drift"]:
        window["because"] = HOSTILE
        for column in window["columns"]:
            column["column"] = column["note"] = HOSTILE
    plain = Page(html(story))
    assert not {"script", "img"} & {tag for tag, _ in plain.tags}
    assert not [name for _, attrs in plain.tags for name in attrs if name.startswith("on")]


def test_times_are_local_dates_of_new_york(story: dict[str, Any]) -> None:
    alarm = next(one for one in story["events"] if one["kind"] == "PerformanceDropped")
    alarm["at"] = "2013-04-11 03:30:00+00:00"
    local = datetime.fromisoformat(alarm["at"]).astimezone(ZoneInfo("America/New_York"))
    assert (local.day, local.hour) == (10, 23)
    assert "10 Apr, 23:30" in Page(html(story)).text


def test_the_headline_counts_what_happened(story: dict[str, Any]) -> None:
    text = Page(html(story)).text
    assert "Two new models promoted, three candidates refused, no failed requests" in text
    story["result"]["requests"]["failed"] = 1
    assert "one failed request" in Page(html(story)).text


def bare(story: dict[str, Any]) -> dict[str, Any]:
    """A year in which the first revision served and nothing else came to pass."""
    quiet = copy.deepcopy(story)
    quiet["events"], quiet["traffic"], quiet["bounds"] = quiet["events"][:2], quiet["traffic"][:1], []
    first = next(iter(quiet["names"]))
    quiet["names"] = {first: quiet["names"][first]}
    quiet["versions"], quiet["drift"], quiet["skill_tests"] = quiet["versions"][:1], [], []
    quiet["days"] = {first: quiet["days"][first][:3]}
    quiet["result"] |= {"promotions": quiet["result"]["promotions"][:1], "refusals": [], "monthly": []}
    return quiet


def test_a_quiet_year_has_a_page_too(story: dict[str, Any]) -> None:
    page = Page(html(bare(story)))
    assert page.open == []
    assert "No new models promoted, no candidates refused" in page.text


def test_a_candidate_in_flight_at_the_end_is_undecided(story: dict[str, Any]) -> None:
    story["events"] = [one for one in story["events"] if one["kind"] != "Rejected"]
    assert "undecided at the end of the year" in Page(html(story)).text


def test_a_run_that_never_ended_is_still_running(story: dict[str, Any]) -> None:
    story["events"] = [one for one in story["events"] if one["kind"] != "RunEnded"]
    assert "still running" in Page(html(story)).text


def test_bounds_that_stay_infinite_are_drawn_without_a_band(story: dict[str, Any]) -> None:
    for one in story["bounds"]:
        one["lower"] = one["upper"] = None
    page = Page(html(story))
    assert "\N{MINUS SIGN}∞ to ∞" in page.text
    story["bounds"] = [{**one, "estimate": None} for one in story["bounds"]]
    assert Page(html(story)).open == []


def test_input_drift_has_a_card_that_says_it_starts_nothing(story: dict[str, Any]) -> None:
    story["events"].append(
        {
            "at": "2013-09-09 08:00:00+00:00",
            "resource": "DriftMonitor",
            "kind": "Drifted",
            "revision": "9c0d1e2f",
            "because": "3 of 11 columns drifted",
            "bounds": {"rows": 6500, "drifted_share": 0.27, "humid": 0.5, "episode": "drift-1", "dest": None},
        }
    )
    text = Page(html(story)).text
    assert "Inputs drifted" in text
    assert "Input drift alone starts no training here" in text


def test_no_coordinate_is_not_a_number(story: dict[str, Any]) -> None:
    page = Page(html(story))
    drawn = [value for name in ("d", "x", "y", "width", "height", "cx") for value in attributes(page, name)]
    assert drawn
    assert not [value for value in drawn if "nan" in value.lower() or "inf" in value.lower()]


def test_a_promotion_shows_what_it_was_worth_month_by_month(story: dict[str, Any]) -> None:
    text = " ".join(Page(html(story)).text.split())
    assert (
        "On the same flights v4 was better than v1 in June, not to be told from v1 in July, worse than v1 in August."
    ) in text


def test_a_month_of_one_day_has_no_error_to_show(story: dict[str, Any]) -> None:
    for one in (*story["result"]["afterwards"]["gains"], *story["result"]["afterwards"]["monthly"]):
        one["standard_error"] = float("nan")
    assert "nan" not in " ".join(attributes(Page(html(story)), "d")).lower()
    assert "± nan" not in Page(html(story)).text


def test_a_promotion_that_a_person_took_back_has_a_card_of_its_own(story: dict[str, Any]) -> None:
    undone = {
        "at": "2013-06-20 08:00:00+00:00",
        "kind": "Undone",
        "because": "ana asked for it",
        "bounds": {},
    }
    story["events"].append({**undone, "resource": "ModelRollout", "revision": "5e6f7a8b"})
    text = Page(html(story)).text
    assert "Promotion of v4 undone" in text
    assert "Ana asked for it." in text
    assert "Rollout of v4" in text


def test_a_stretch_that_was_not_lived_through_is_marked(story: dict[str, Any]) -> None:
    assert "not replayed" not in html(story)
    for days in story["days"].values():
        days[:] = [day for day in days if not "2013-06-16" < day["start"] < "2013-11-30"]
    assert Page(html(story)).text.count("not replayed") == 1
