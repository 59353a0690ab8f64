/**
 * Shortcuts: `?` help, `g` then a letter to go, `/` to the filter, `j` `k` through rows, Enter opens. They never act in
 * fields or open dialogs, never operate anything, and can be switched off.
 */

import { open } from "./dialog.js";
import { read, write } from "./store.js";

const PAUSE = 1200;
let going = 0;

function typing(target) {
  return target.closest?.("input, select, textarea, [contenteditable], [role=textbox]") !== null;
}

function rows() {
  return [...document.querySelectorAll("main .table tbody tr:has(a)")];
}

function step(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.classList.contains("is-current"));
  all[at]?.classList.remove("is-current");
  const row = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  row.classList.add("is-current");
  (row.querySelector(".row-link") ?? row.querySelector("a")).focus();
  row.scrollIntoView({ block: "nearest" });
}

function go(letter) {
  document.querySelector(`[data-go="${CSS.escape(letter)}"]`)?.click();
}

function act(event) {
  if (Date.now() < going) {
    going = 0;
    go(event.key.toLowerCase());
    return true;
  }
  switch (event.key) {
    case "?": {
      const help = document.getElementById("shortcuts");
      if (help) open(help);
      return Boolean(help);
    }
    case "g":
      going = Date.now() + PAUSE;
      return true;
    case "/": {
      const field = document.querySelector("main [data-filter-focus], main input[type=search]");
      field?.focus();
      return Boolean(field);
    }
    case "j":
      step(1);
      return true;
    case "k":
      step(-1);
      return true;
    default:
      return false;
  }
}

/** Bind the keys and the switch [data-shortcuts-off]; called once. */
export function wire() {
  for (const box of document.querySelectorAll("input[data-shortcuts]")) {
    box.checked = read("shortcuts") !== "off";
    box.addEventListener("change", () => write("shortcuts", box.checked ? "" : "off"));
  }
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (read("shortcuts") === "off" || typing(event.target) || document.querySelector("dialog[open]")) return;
    if (act(event)) event.preventDefault();
  });
}
