/**
 * Live values in the page: text nodes, bars, switches, sliders, ages and staleness, by the data-live-* attributes. Values
 * are gathered and written once per frame; nothing here replaces markup.
 */

import { serverNow } from "./clock.js";
import * as format from "./format.js";
import { Stream } from "./stream.js";

const pending = new Map();
const newest = new Map();
let frame = 0;
let index = null; // "attribute event" -> elements; built once per change of the markup, not per value

const ATTRIBUTES = ["value", "bar", "time", "card", "switch", "slider"].map((name) => `data-live-${name}`);

function indexed() {
  const found = new Map();
  for (const attribute of ATTRIBUTES) {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      const key = `${attribute} ${element.getAttribute(attribute)}`;
      if (found.has(key)) found.get(key).push(element);
      else found.set(key, [element]);
    }
  }
  return found;
}

function each(attribute, event, act) {
  index ??= indexed();
  index.get(`${attribute} ${event}`)?.forEach(act);
}

function setText(element, text) {
  if (element.firstChild?.nodeType === Node.TEXT_NODE && !element.firstElementChild) element.firstChild.data = text;
  else element.textContent = text;
}

function write({ event, value, time }) {
  each("data-live-value", event, (element) => setText(element, format.number(value, element.dataset.decimals)));
  each("data-live-bar", event, (bar) => { bar.value = value; });
  each("data-live-time", event, (element) => {
    element.dateTime = time;
    element.title = `${time.slice(0, 19).replace("T", " ")} UTC`;
    setText(element, format.time(time));
  });
  each("data-live-card", event, (card) => { card.dataset.time = time; });
  each("data-live-switch", event, (button) => {
    const on = value === 1;
    button.setAttribute("aria-checked", String(on));
    button.value = on ? "0" : "1";
  });
  each("data-live-slider", event, (box) => box.dispatchEvent(new CustomEvent("webmacs:current", { detail: value })));
}

function flush() {
  frame = 0;
  const values = [...pending.values()];
  pending.clear();
  for (const item of values) write(item);
  judgeAges();
}

function receive(values) {
  const stamp = (item) => item?.time.replace("Z", "") ?? ""; // as text "05Z" would come after "05.5Z"
  const fresh = values.filter((item) => stamp(item) > stamp(newest.get(item.event))); // never back in time
  if (!fresh.length) return;
  for (const item of fresh) {
    newest.set(item.event, item);
    pending.set(item.event, item);
  }
  frame ||= requestAnimationFrame(flush);
  document.dispatchEvent(new CustomEvent("webmacs:values", { detail: { values: fresh } }));
}

/** Mark what is older than its source promises, and say how old everything is. */
function judgeAges() {
  const now = serverNow();
  for (const card of document.querySelectorAll("[data-live-card]")) {
    const time = Date.parse(card.dataset.time ?? "");
    const age = card.querySelector("[data-live-age]");
    if (!Number.isFinite(time)) continue;
    const seconds = Math.max(0, (now - time) / 1000);
    const stale = Boolean(card.dataset.staleAfter) && seconds > Number(card.dataset.staleAfter);
    card.classList.toggle("is-stale", stale);
    if (age) setText(age, stale ? `stale, ${format.age(seconds)}` : format.age(seconds));
  }
}

function showMode(mode) {
  const before = document.body.dataset.connection;
  document.body.dataset.connection = mode;
  for (const element of document.querySelectorAll("[data-live-mode]")) setText(element, mode);
  const offline = mode === "offline";
  for (const box of document.querySelectorAll("fieldset[data-live-control]")) lock(box, offline);
  for (const banner of document.querySelectorAll("[data-live-lost]")) {
    banner.hidden = !offline;
    if (offline && before !== "offline") setText(banner.querySelector("[data-live-lost-since]"), format.time(Date.now()));
  }
}

/** A control must not be operated blind: without a connection it is off, and back as it was afterwards. */
function lock(box, offline) {
  if (offline && !box.disabled) {
    box.disabled = true;
    box.dataset.lockedByLoss = "";
  } else if (!offline && "lockedByLoss" in box.dataset) {
    box.disabled = false;
    delete box.dataset.lockedByLoss;
  }
}

/** Give the newest known values to markup that has just arrived. */
export function wire(scope) {
  index = null;
  for (const item of newest.values()) {
    if (scope.querySelector(`[data-live-card="${CSS.escape(item.event)}"]`)) write(item);
  }
  if (document.body.dataset.connection === "offline") showMode("offline");
  judgeAges();
}

/** Open the tab's connection where the layout gives an address for it; called once. */
export function start() {
  const { liveStream, liveLatest } = document.body.dataset;
  if (!liveStream) return;
  setInterval(judgeAges, 1000);
  new Stream({
    stream: liveStream,
    latest: liveLatest,
    onValues: receive,
    onMode: showMode,
    onResume: () => document.dispatchEvent(new CustomEvent("webmacs:resume")),
  }).start();
}
