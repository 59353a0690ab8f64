/**
 * [data-figure="/url"]: a Plotly figure ({"data": […], "layout": {…}}) that the server made. Plotly itself is fetched when
 * the first figure comes into view; the page around it is readable before and without it.
 */

import { plotly } from "./load.js";
import { color } from "./theme.js";

const CONFIG = {
  responsive: true,
  displaylogo: false,
  modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
  toImageButtonOptions: { format: "svg" },
};

function axis(own, ink, line, grid) {
  return {
    gridcolor: grid, linecolor: line, zerolinecolor: line, tickcolor: line, tickfont: { color: ink }, automargin: true, ...own,
    title: typeof own?.title === "string" ? { text: own.title } : own?.title,
  };
}

const HEIGHT = 400;
const SERIES = 5;
const DASHES = { dash: "8 5", dot: "2 4", dashdot: "8 4 2 4", longdash: "12 5", longdashdot: "12 4 2 4" };

/** The legend as buttons that show and hide a line: it wraps with the page, and the keyboard reaches it. */
function legend(Plotly, paper, traces) {
  const list = document.createElement("div");
  list.className = "figure__legend";
  list.setAttribute("role", "group");
  list.setAttribute("aria-label", "Lines shown");
  traces.forEach((trace, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    const key = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    key.setAttribute("class", "chart__key");
    key.setAttribute("viewBox", "0 0 28 12");
    key.setAttribute("aria-hidden", "true");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", "M1 6H27");
    line.setAttribute("stroke-dasharray", DASHES[trace.line?.dash] ?? "");
    line.style.stroke = trace.line?.color ?? `var(--series-${(i % SERIES) + 1})`; // by script, which the content policy allows
    key.append(line);
    button.append(key, trace.name ?? `Line ${i + 1}`);
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      Plotly.restyle(paper, { visible: shown }, [i]);
    });
    list.append(button);
  });
  return list;
}

function themed(layout) {
  const [ink, quiet, line, grid] = ["--ink", "--ink-quiet", "--line", "--chart-grid"].map(color);
  const axes = Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name));
  return {
    hovermode: "x unified",
    height: HEIGHT,
    ...layout,
    margin: { l: 56, r: 16, t: layout.title ? 48 : 16, b: 48, ...layout.margin },
    showlegend: false,
    autosize: true,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: ink },
    colorway: [1, 2, 3, 4, 5].map((i) => color(`--series-${i}`)),
    hoverlabel: { bgcolor: color("--panel-raised"), bordercolor: line, font: { color: ink } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: quiet, activecolor: color("--accent") },
    ...Object.fromEntries([...new Set(["xaxis", "yaxis", ...axes])].map((name) => [name, axis(layout[name], quiet, line, grid)])),
  };
}

function hasPoints({ data }) {
  return (data ?? []).some((trace) => ["x", "y", "z", "values", "r"].some((name) => {
    const column = trace[name];
    return Array.isArray(column) ? column.length > 0 : Boolean(column?.bdata); // plotly.py sends long columns as base64
  }));
}

function say(holder, name, act) {
  const message = holder.querySelector(`template[data-figure-message="${name}"]`).content.firstElementChild.cloneNode(true);
  message.querySelector("button")?.addEventListener("click", act);
  stage(holder).replaceChildren(message);
}

function stage(holder) {
  return holder.querySelector("[data-figure-stage]");
}

async function read(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(30000) });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer.json();
}

async function show(holder) {
  holder.setAttribute("aria-busy", "true");
  try {
    const [Plotly, figure] = await Promise.all([plotly(), read(holder.dataset.figure)]);
    if (!hasPoints(figure)) {
      say(holder, "empty");
      return;
    }
    const paper = document.createElement("div");
    stage(holder).replaceChildren(paper);
    if (figure.data.length > 1) paper.after(legend(Plotly, paper, figure.data));
    await Plotly.newPlot(paper, figure.data, themed(figure.layout ?? {}), CONFIG);
    document.addEventListener("webmacs:theme", () => {
      if (paper.isConnected) Plotly.react(paper, figure.data, themed(figure.layout ?? {}), CONFIG);
    });
  } catch {
    say(holder, "failed", () => show(holder));
  } finally {
    holder.removeAttribute("aria-busy");
  }
}

/** Show the figure as soon as it comes near the visible part of the page. */
export function mount(holder) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    show(holder);
  }, { rootMargin: "300px" });
  observer.observe(holder);
}
