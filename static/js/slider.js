/**
 * [data-slider]: a range and a number that move together, and the sentence "21.5 → 30 °C". Nothing is sent while dragging:
 * the value leaves with Apply.
 */

import { number } from "./format.js";

function bind(box) {
  const range = box.querySelector("input[type=range]");
  const field = box.querySelector("input[name=value]");
  const change = box.querySelector("[data-slider-change]");
  const apply = box.querySelector("[type=submit]");
  const read = () => Number(field.value.replace(",", "."));
  const current = () => (box.dataset.current === "" ? null : Number(box.dataset.current));
  let touched = field.getAttribute("aria-invalid") === "true"; // a refused wish comes back as it was typed
  let changed = false;
  const show = () => {
    const wanted = read();
    changed = touched && field.value !== "" && Number.isFinite(wanted) && wanted !== current();
    box.toggleAttribute("data-changed", changed);
    apply.classList.toggle("button--primary", changed);
    change.textContent = changed
      ? `${number(current(), box.dataset.decimals)} → ${number(wanted, box.dataset.decimals)} ${box.dataset.unit}`.trim()
      : "";
  };
  range.addEventListener("input", () => {
    touched = true;
    field.value = String(Number(Number(range.value).toFixed(Number(box.dataset.decimals))));
    show();
  });
  field.addEventListener("input", () => {
    touched = true;
    if (Number.isFinite(read())) range.value = String(read());
    show();
  });
  field.form.addEventListener("formdata", (event) => event.formData.set("value", field.value.replace(",", ".").trim()));
  // A value that someone else applied moves the control only while nobody is setting it here.
  box.addEventListener("webmacs:current", ({ detail }) => {
    const following = !changed;
    box.dataset.current = String(detail);
    if (following) {
      range.value = String(detail);
      field.value = String(Number(detail.toFixed(6)));
    }
    show();
  });
  show();
}

/** Bind the sliders inside `scope`. */
export function wire(scope) {
  for (const box of scope.querySelectorAll("[data-slider]")) bind(box);
}
