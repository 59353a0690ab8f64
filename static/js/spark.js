/** svg[data-live-spark="evt_…"]: the last 15 minutes of a value as one line, seeded once and continued live. */

import { typicalStep } from "./chartdata.js";
import { serverNow } from "./clock.js";
import { recent } from "./history.js";

const MINUTES = 15;
const LEAST_SECONDS = 60;
const WIDTH = 120;
const HEIGHT = 32;
const MARGIN = 2;
const lines = new Map(); // event -> {times, values}
let timer = 0;

function draw(svg) {
  const line = lines.get(svg.dataset.liveSpark);
  const path = svg.querySelector("path");
  if (!line || line.times.length < 2) {
    path.setAttribute("d", "");
    return;
  }
  const end = serverNow() / 1000;
  // A line that has just begun uses the whole width at once; it is a shape, not a scale.
  const start = Math.max(end - MINUTES * 60, Math.min(line.times[0], end - LEAST_SECONDS));
  const low = Math.min(...line.values);
  const high = Math.max(...line.values);
  const flat = high - low < 1e-12;
  const gap = Math.max(20, 4 * typicalStep(line.times));
  let d = "";
  line.times.forEach((time, i) => {
    const x = ((time - start) / (end - start)) * WIDTH;
    const y = flat ? HEIGHT / 2 : HEIGHT - MARGIN - ((line.values[i] - low) / (high - low)) * (HEIGHT - 2 * MARGIN);
    d += `${i === 0 || time - line.times[i - 1] > gap ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  path.setAttribute("d", d);
}


function append(values) {
  const oldest = serverNow() / 1000 - MINUTES * 60;
  for (const { event, value, time } of values) {
    const line = lines.get(event);
    if (!line || value === null) continue;
    const at = Date.parse(time) / 1000;
    // A line 120 units wide shows nothing finer than a few seconds: the newest point moves until then.
    const last = line.times.length - 1;
    if (last > 0 && at - line.times[last - 1] < 5) {
      line.times[last] = at;
      line.values[last] = value;
    } else {
      line.times.push(at);
      line.values.push(value);
    }
    while (line.times.length && line.times[0] < oldest) {
      line.times.shift();
      line.values.shift();
    }
  }
}

async function seed(events) {
  for (const event of events) if (!lines.has(event)) lines.set(event, { times: [], values: [] });
  try {
    for (const [event, { times, values }] of await recent(events, MINUTES, 120)) {
      const known = values.map((value, i) => [times[i], value]).filter(([, value]) => value !== null);
      lines.set(event, { times: known.map(([time]) => time), values: known.map(([, value]) => value) });
    }
  } catch {
    // The tile shows its value; the line begins with what arrives from now on.
  }
  redraw();
}

function redraw() {
  timer = 0;
  if (document.hidden) return;
  for (const svg of document.querySelectorAll("svg[data-live-spark]")) draw(svg);
}

/** Seed the sparklines inside `scope`; their history comes in one request. */
export function wire(scope) {
  const events = [...scope.querySelectorAll("svg[data-live-spark]")].map((svg) => svg.dataset.liveSpark);
  const fresh = [...new Set(events)].filter((event) => !lines.has(event));
  if (fresh.length) seed(fresh);
  else redraw();
}

document.addEventListener("webmacs:values", ({ detail }) => {
  append(detail.values);
  timer ||= setTimeout(redraw, 1000);
});
document.addEventListener("webmacs:resume", () => seed([...lines.keys()]));
