/** Theme and density: [data-theme-choice] and [data-density-choice] radio buttons; tells canvases when colours change. */

import { read, write } from "./store.js";

const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

function announce() {
  document.dispatchEvent(new CustomEvent("webmacs:theme"));
}

function choose(kind, value, standard) {
  write(kind, value === standard ? "" : value);
  if (value === standard) delete root.dataset[kind];
  else root.dataset[kind] = value;
  announce();
}

/** @returns {string} the colour of a token as the browser computes it, ready for a canvas */
export function color(token) {
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const computed = getComputedStyle(probe).color;
  probe.remove();
  return computed;
}

/** Bind the choices inside `scope`. */
export function wire(scope) {
  for (const [kind, standard] of [["theme", "system"], ["density", "comfortable"]]) {
    for (const input of scope.querySelectorAll(`input[data-${kind}-choice]`)) {
      input.checked = input.value === (read(kind) ?? standard);
      input.addEventListener("change", () => choose(kind, input.value, standard));
    }
  }
}

system.addEventListener("change", announce);
