"""The chart of an experiment: plain data in, a Plotly figure as plain data out."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from webmacs.core import clock
from webmacs.features.datapoints.decide import Sample

# Colours are the theme's five series colours, given by the page's script; the dash tells the sixth from the first.
COLOURS = 5
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
PANEL, GAP, BELOW = 150, 26, 90  # pixels
PAUSE = 10  # so many times the usual step are a gap, which stays one


class Trace(NamedTuple):
    """One channel's samples; `is_stepped` for set-points and states, which hold until the next one."""

    name: str
    unit: str
    samples: Sequence[Sample]
    is_stepped: bool = False


def series_figure(traces: Sequence[Trace]) -> dict[str, Any]:
    """Lines over one time axis, a panel for each unit: values of different kinds never share a scale."""
    units = list(dict.fromkeys(trace.unit for trace in traces))
    height = len(units) * PANEL + max(0, len(units) - 1) * GAP
    layout: dict[str, Any] = {
        "height": height + BELOW,
        "xaxis": {
            "type": "date",
            "title": {"text": "Time (UTC)"},
            "anchor": f"y{len(units)}" if len(units) > 1 else "y",
        },
        "hovermode": "x",
        "margin": {"t": 10, "r": 10},
    }
    for index, unit in enumerate(units):
        top = 1 - index * (PANEL + GAP) / height
        layout[_axis("yaxis", index)] = {"title": {"text": unit}, "domain": [max(0, top - PANEL / height), top]}
    return {"data": [_line(i, trace, units.index(trace.unit)) for i, trace in enumerate(traces)], "layout": layout}


def _with_gaps(samples: Sequence[Sample]) -> Iterator[tuple[int, float | None]]:
    """The samples with an empty one wherever the source was silent, so that no line is drawn across."""
    steps = sorted(later[0] - earlier[0] for earlier, later in pairwise(samples))
    longest = PAUSE * steps[len(steps) // 2] if steps else 0
    before: int | None = None
    for ts, value in samples:
        if before is not None and ts - before > longest > 0:
            yield (before + ts) // 2, None
        yield ts, value
        before = ts


def _axis(name: str, index: int) -> str:
    return name if index == 0 else f"{name}{index + 1}"


def _line(index: int, trace: Trace, unit: int) -> dict[str, Any]:
    samples = trace.samples if trace.is_stepped else list(_with_gaps(trace.samples))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{trace.name} ({trace.unit})",
        "x": [clock.iso_z(clock.from_micros(ts)) for ts, _ in samples],
        "y": [value for _, value in samples],
        "yaxis": _axis("y", unit),
        "line": {
            "dash": DASHES[index // COLOURS % len(DASHES)],
            "shape": "hv" if trace.is_stepped else "linear",
            "width": 1.5,
        },
        "connectgaps": False,
    }
