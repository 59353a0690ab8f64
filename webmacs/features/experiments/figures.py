"""The chart of an experiment: plain data in, a Plotly figure as plain data out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from webmacs.core import clock
from webmacs.features.datapoints.decide import Sample

# E.8 of the interface standard: hues that no alarm uses, told apart also without colour vision
COLOURS = ("#358D7B", "#CC33CC", "#838321", "#451452", "#0E390E")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


class Trace(NamedTuple):
    """One channel's samples."""

    name: str
    unit: str
    samples: Sequence[Sample]


def series_figure(traces: Sequence[Trace]) -> dict[str, Any]:
    """Lines over time, one y-axis for each unit (two at most: further units share the second)."""
    units = list(dict.fromkeys(trace.unit for trace in traces))
    data = [_line(index, trace, units.index(trace.unit)) for index, trace in enumerate(traces)]
    layout: dict[str, Any] = {
        "xaxis": {"type": "date", "title": {"text": "Time (UTC)"}},
        "yaxis": {"title": {"text": units[0] if units else ""}},
        "legend": {"orientation": "h"},
        "hovermode": "x unified",
    }
    if len(units) > 1:
        layout["yaxis2"] = {"title": {"text": ", ".join(units[1:])}, "overlaying": "y", "side": "right"}
    return {"data": data, "layout": layout}


def _line(index: int, trace: Trace, unit: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{trace.name} ({trace.unit})",
        "x": [clock.iso_z(clock.from_micros(ts)) for ts, _ in trace.samples],
        "y": [value for _, value in trace.samples],
        "yaxis": "y" if unit == 0 else "y2",
        "line": {
            "color": COLOURS[index % len(COLOURS)],
            "dash": DASHES[index // len(COLOURS) % len(DASHES)],
            "shape": "linear",
            "width": 1.5,
        },
        "connectgaps": False,
    }
