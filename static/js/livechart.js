/**
 * [data-live-chart]: a strip chart that follows the live stream; one panel per unit under one shared time axis and cursor.
 * data-series='[{"event", "name", "unit", "step"?}]', data-minutes (15). Needs the macro live_chart of templates/ui/chart.html.
 */

import { Line } from "./chartdata.js";
import { serverNow } from "./clock.js";
import * as format from "./format.js";
import { recent } from "./history.js";
import { uplot } from "./load.js";
import { drawPanel, seriesStyle, swatch } from "./strip.js";

const LEAST_MINUTES = 15;
const FRAME = 250; // how often a chart asks itself whether there is something new to be seen
const CALM = 1000; // and draws at the latest

class LiveChart {
  constructor(holder) {
    this.holder = holder;
    this.panels = holder.querySelector("[data-chart-panels]");
    this.lines = JSON.parse(holder.dataset.series).map((series) => new Line(series));
    this.byEvent = new Map(this.lines.map((line) => [line.event, line]));
    this.minutes = Math.max(LEAST_MINUTES, Number(holder.dataset.minutes) || LEAST_MINUTES);
    this.plots = [];
    this.cursor = null; // seconds since the epoch while the pointer or the keyboard points somewhere
    this.frozen = null; // end of the window while paused
    this.visible = true;
    this.drawn = -Infinity; // when the strip was drawn last
    this.sync = `live-${Math.random().toString(36).slice(2)}`;
  }

  async start() {
    this.#bind();
    this.#legend();
    try {
      [this.uPlot] = await Promise.all([uplot(), this.#seed()]);
    } catch {
      this.#fail();
      return;
    }
    this.#build();
    this.timer = setInterval(() => this.#draw(), FRAME);
  }

  async #seed() {
    const points = Math.min(2000, Math.max(300, 2 * Math.round(this.panels.clientWidth || 600)));
    const series = await recent([...this.byEvent.keys()], this.minutes, points);
    const from = serverNow() / 1000 - this.minutes * 60;
    for (const [event, points_] of series) this.byEvent.get(event)?.seed(points_, from);
    this.seeded = performance.now();
    this.#renew();
  }

  #fail() {
    clearInterval(this.timer);
    const message = this.holder.querySelector("[data-chart-failed]").content.firstElementChild.cloneNode(true);
    message.querySelector("button").addEventListener("click", () => this.start());
    this.panels.replaceChildren(message);
  }

  #bind() {
    if (this.bound) return;
    this.bound = true;
    document.addEventListener("webmacs:values", ({ detail }) => {
      for (const { event, value, time } of detail.values) this.byEvent.get(event)?.append(Date.parse(time) / 1000, value);
      this.dirty = true;
    });
    document.addEventListener("webmacs:resume", () => this.#seed().catch(() => {})); // a gap is shown until it succeeds
    document.addEventListener("webmacs:theme", () => this.#build());
    new IntersectionObserver(([entry]) => { this.visible = entry.isIntersecting; }).observe(this.holder);
    new ResizeObserver(() => this.#resize()).observe(this.panels);
    this.holder.querySelector("[data-chart-pause]").addEventListener("click", () => this.#pause(this.frozen === null));
    for (const button of this.holder.querySelectorAll("[data-chart-minutes]")) {
      button.addEventListener("click", () => this.#window(Number(button.dataset.chartMinutes)));
    }
    this.panels.addEventListener("keydown", (event) => this.#key(event));
    this.panels.addEventListener("blur", () => this.#point(null));
  }

  #window(minutes) {
    this.minutes = minutes;
    for (const button of this.holder.querySelectorAll("[data-chart-minutes]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.chartMinutes) === minutes));
    }
    this.#pause(false);
    this.#seed().catch(() => this.#fail());
  }

  /** Draw at the next opportunity. */
  #renew() {
    this.dirty = true;
    this.drawn = -Infinity;
  }

  #pause(paused, range) {
    this.frozen = paused ? range ?? this.#range() : null;
    const button = this.holder.querySelector("[data-chart-pause]");
    button.setAttribute("aria-pressed", String(paused));
    for (const part of button.querySelectorAll("[data-when]")) part.hidden = (part.dataset.when === "paused") !== paused;
    this.#renew();
  }

  #range() {
    if (this.frozen) return this.frozen;
    const end = serverNow() / 1000;
    return [end - this.minutes * 60, end];
  }

  /** Panels by unit in the order of the series, so that no axis carries two units. */
  #groups() {
    const groups = new Map();
    for (const line of this.lines) groups.set(line.unit, [...(groups.get(line.unit) ?? []), line]);
    return [...groups];
  }

  #build() {
    if (!this.uPlot) return;
    for (const { plot } of this.plots) plot.destroy();
    const groups = this.#groups();
    const styles = new Map(this.lines.map((line, i) => [line.event, seriesStyle(i)]));
    this.panels.replaceChildren();
    this.plots = groups.map(([unit, lines], i) => drawPanel(this.uPlot, {
      parent: this.panels, unit, lines, styles, sync: this.sync,
      height: Math.max(130, Math.round((groups.length === 1 ? 320 : 420) / groups.length)),
      last: i === groups.length - 1,
      minutes: () => this.minutes,
      onCursor: (moment) => this.#point(moment),
      onZoom: (from, to) => this.#pause(true, [from, to]),
      onReset: () => this.#pause(false),
    }));
    this.lines.forEach((line, i) => swatch(this.rows[i].key, styles.get(line.event)));
    this.#renew();
    this.#draw(true);
  }

  #resize() {
    const width = this.panels.clientWidth;
    for (const { plot } of this.plots) if (width > 0 && plot.width !== width) plot.setSize({ width, height: plot.height });
  }

  #draw(first = false) {
    if (!this.plots.length || ((document.hidden || !this.visible) && !first)) return;
    const [from, to] = this.#range();
    if (this.frozen && !this.dirty) return;
    if (!this.frozen && performance.now() - this.seeded > Math.max(300_000, this.minutes * 4000)) {
      this.seeded = performance.now(); // long windows are thinned again instead of growing without end
      this.#seed().catch(() => {});
    }
    const pixel = ((to - from) * 1000) / Math.max(1, this.panels.clientWidth); // nothing finer is to be seen
    if (performance.now() - this.drawn < Math.min(pixel, CALM)) return;
    this.drawn = performance.now();
    for (const { plot, lines } of this.plots) {
      if (this.dirty) {
        for (const line of lines) if (!this.frozen) line.trim(from);
        plot.setData(this.uPlot.join(lines.map((line) => line.withGaps())), false);
      }
      plot.setScale("x", { min: from, max: to });
    }
    if (this.dirty) this.#numbers();
    this.dirty = false;
  }

  #legend() {
    const body = this.holder.querySelector("[data-chart-legend] tbody");
    this.rows = [...body.rows].map((row) => ({
      key: row.querySelector(".chart__key"),
      value: row.querySelector("[data-of=value]"),
      low: row.querySelector("[data-of=low]"),
      high: row.querySelector("[data-of=high]"),
    }));
  }

  #numbers() {
    const parts = [];
    this.lines.forEach((line, i) => {
      const { last, low, high } = line.summary();
      const row = this.rows[i];
      row.value.textContent = format.steady(this.cursor === null ? last : line.at(this.cursor));
      row.low.textContent = format.steady(low);
      row.high.textContent = format.steady(high);
      parts.push(last === null ? `${line.name}: no data`
        : `${line.name}: ${format.steady(last)} ${line.unit}, between ${format.steady(low)} and ${format.steady(high)}`);
    });
    const summary = `Last ${this.minutes} minutes. ${parts.join(". ")}.`;
    this.holder.querySelector("[data-chart-summary]").textContent = summary;
    this.holder.querySelector("[data-chart-note]").hidden = this.lines.some((line) => line.times.length > 0);
    const when = this.holder.querySelector("[data-chart-when]");
    when.textContent = this.cursor === null ? "Last" : `At ${format.time(this.cursor * 1000)}`;
  }

  #point(moment) {
    if (moment === this.cursor) return;
    this.cursor = moment;
    this.#numbers();
  }

  /** Arrow keys move the cursor by a hundredth of the window and speak what is under it; Escape leaves. */
  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (event.key === "Escape") this.#point(null);
    if (step === undefined) return;
    event.preventDefault();
    const [from, to] = this.#range();
    const moment = Math.min(to, Math.max(from, (this.cursor ?? to) + (step * (to - from)) / 100));
    for (const { plot } of this.plots) plot.setCursor({ left: plot.valToPos(moment, "x"), top: 10 }, false);
    this.#point(moment);
    const said = this.lines.map((line) => `${line.name} ${format.steady(line.at(moment))} ${line.unit}`).join(", ");
    this.holder.querySelector("[data-chart-spoken]").textContent = `${format.time(moment * 1000)}: ${said}`;
  }
}

/** Bring one chart holder to life. */
export function mount(holder) {
  holder.querySelector("[data-chart-zone]").textContent = `Local time, ${format.zone()}`;
  new LiveChart(holder).start();
}
