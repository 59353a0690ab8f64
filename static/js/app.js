/** The entry: binds each behaviour to its data- attributes, on the page and on every fragment that htmx brings. */

import * as autosubmit from "./autosubmit.js";
import * as claim from "./claim.js";
import * as copy from "./copy.js";
import * as dialog from "./dialog.js";
import * as keyboard from "./keyboard.js";
import * as live from "./live.js";
import * as localtime from "./localtime.js";
import * as passkey from "./passkey.js";
import * as slider from "./slider.js";
import * as state from "./state.js";
import * as theme from "./theme.js";
import * as toast from "./toast.js";

const wired = new WeakSet();

/** Bind everything inside `scope` that is not bound yet. */
function wire(scope) {
  const fresh = {
    querySelectorAll: (selector) => [...scope.querySelectorAll(selector)].filter((element) => !wired.has(element)),
    querySelector: (selector) => [...scope.querySelectorAll(selector)].find((element) => !wired.has(element)) ?? null,
  };
  for (const behaviour of [autosubmit, claim, dialog, localtime, passkey, slider, theme]) behaviour.wire(fresh);
  live.wire(scope);
  if (scope.querySelector("[data-live-spark]")) import("./spark.js").then((spark) => spark.wire(scope));
  if (fresh.querySelector("[data-live-chart]")) bring("./livechart.js", fresh.querySelectorAll("[data-live-chart]"));
  if (fresh.querySelector("[data-figure]")) bring("./figure.js", fresh.querySelectorAll("[data-figure]"));
  for (const element of scope.querySelectorAll("*")) wired.add(element);
}

function bring(module, holders) {
  import(module).then(({ mount }) => holders.forEach((holder) => mount(holder)));
}

toast.wire();
copy.wire();
keyboard.wire();
wire(document.body);
live.start();
state.start();

// After a swap the new element itself is the scope's child at best; its parent covers an outerHTML swap too.
document.body.addEventListener("htmx:afterSettle", ({ detail }) => wire(detail.elt.parentElement ?? document.body));
