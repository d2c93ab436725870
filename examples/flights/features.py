"""What the model sees of a departure: only what is known at its scheduled time."""

import numpy as np

from trimtab.features import Columns, Request, View

REQUEST = Request(
    scheduled_departure="timestamp",
    carrier="string",
    origin="string",
    dest="string",
    tailnum="string",
    local_hour="number",
    minute="number",
    distance="number",
)

VIEWS = (
    View(
        "carrier_week",
        by="carrier",
        time="known_at",
        max_age="14d",
        columns={"late_rate_7d": "carrier_late_7d"},
    ),
    View(
        "origin_week", by="origin", time="known_at", max_age="14d", columns={"late_rate_7d": "origin_late_7d"}
    ),
    View(
        "weather",
        by="origin",
        time="time_hour",
        max_age="3h",
        columns=("temp", "wind_speed", "visib", "pressure", "precip", "humid"),
    ),
    View("planes", by="tailnum", columns={"year": "plane_year"}),
)

DAY_S = 86_400
THURSDAY = 3  # 1970-01-01, with Monday as 0


def transform(rows: Columns) -> Columns:
    """Row i of the answer depends on row i of `rows` alone."""
    since_epoch_s = (rows["scheduled_departure"] - np.datetime64(0, "s")) / np.timedelta64(1, "s")
    minute_of_day = rows["local_hour"] * 60 + rows["minute"]
    local_day = np.floor((since_epoch_s - minute_of_day * 60) / DAY_S)
    return {
        "minute_of_day": minute_of_day,
        "weekday": (local_day + THURSDAY) % 7,
        "distance": rows["distance"],
        "carrier": rows["carrier"],
        "origin": rows["origin"],
        "dest": rows["dest"],
        "carrier_late_7d": rows["carrier_late_7d"],
        "origin_late_7d": rows["origin_late_7d"],
        "temp": rows["temp"],
        "wind_speed": rows["wind_speed"],
        "visib": rows["visib"],
        "pressure": rows["pressure"],
        "precip": rows["precip"],
        "humid": rows["humid"],
        "plane_year": rows["plane_year"],
    }
