/** How one panel of a live strip is drawn with uPlot: axes, colours, dashes, cursor. */

import { color } from "./theme.js";

const COLOURS = 5;
const DASHES = [[], [8, 5], [2, 4]]; // from the sixth series on the dash tells lines of one colour apart
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const seconds = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const days = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const AXIS_WIDTH = 64; // the same for every panel, so that their time axes lie exactly above each other

/** @returns {{stroke: string, dash: number[]}} the look of the i-th series */
export function seriesStyle(i) {
  return { stroke: color(`--series-${(i % COLOURS) + 1}`), dash: DASHES[Math.floor(i / COLOURS) % DASHES.length] };
}

/** Paint the legend's key svg like its line. */
export function swatch(svg, { stroke, dash }) {
  const line = svg.querySelector("line");
  line.setAttribute("stroke", stroke);
  line.setAttribute("stroke-dasharray", dash.join(" "));
}

function timeLabels(_plot, splits, _axis, _space, step) {
  let day = "";
  return splits.map((moment, i) => {
    const date = new Date(moment * 1000);
    if (step >= 86400) return days.format(date);
    const text = (step < 60 ? seconds : clock).format(date);
    const today = date.toDateString();
    const label = i > 0 && today !== day ? `${text}\n${days.format(date)}` : text;
    day = today;
    return label;
  });
}

const noLabels = (_plot, splits) => splits.map(() => "");

function valueRange(_plot, low, high) {
  if (low === null || high === null || low === undefined) return [0, 1];
  const margin = (high - low) * 0.08 || Math.abs(high) * 0.05 || 1;
  return [low - margin, high + margin];
}

/**
 * @param {Function} uPlot its constructor
 * @param {object} options parent element, unit, lines, styles by event, sync key, height in px, whether it is the last
 *   panel (which carries the time axis), and the callbacks onCursor(seconds|null), onZoom(from, to), onReset()
 * @returns {{plot: object, lines: object[]}}
 */
export function drawPanel(uPlot, { parent, unit, lines, styles, sync, height, last, onCursor, onZoom, onReset }) {
  const box = document.createElement("div");
  box.className = "chart__panel";
  const label = document.createElement("div");
  label.className = "chart__unit";
  label.textContent = unit || "no unit";
  box.append(label);
  parent.append(box);
  const ink = color("--ink-quiet");
  const grid = { stroke: color("--chart-grid"), width: 1 };
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const plot = new uPlot({
    width: Math.max(200, parent.clientWidth),
    height: last ? height + 30 : height,
    padding: [6, 8, last ? 0 : 8, 0], // room for half of the lowest label
    legend: { show: false },
    cursor: {
      sync: { key: sync, setSeries: false },
      drag: { x: true, y: false, setScale: false },
      y: false,
      points: { size: 7 },
      bind: { dblclick: () => () => { onReset(); return null; } },
    },
    scales: { x: { time: true }, y: { range: valueRange } },
    axes: [
      { stroke: ink, grid, ticks: { show: false }, font, space: 80, size: last ? 30 : 0, values: last ? timeLabels : noLabels },
      { stroke: ink, grid, ticks: { show: false }, font, size: AXIS_WIDTH, space: 32 },
    ],
    series: [{}, ...lines.map((line) => ({
      ...styles.get(line.event),
      width: 1.75,
      points: { show: false },
      paths: line.step ? uPlot.paths.stepped({ align: 1 }) : undefined,
    }))],
    hooks: {
      setCursor: [({ cursor, posToVal }) => onCursor(cursor.left >= 0 ? posToVal(cursor.left, "x") : null)],
      setSelect: [(self) => {
        const { left, width } = self.select;
        if (width < 8) return;
        onZoom(self.posToVal(left, "x"), self.posToVal(left + width, "x"));
        self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      }],
    },
  }, [[], ...lines.map(() => [])], box);
  return { plot, lines };
}
