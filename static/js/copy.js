/** [data-copy="text"] buttons. Works on plain http too, where the clipboard interface is not offered. */

import { toast } from "./toast.js";

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.className = "visually-hidden";
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

/** Bind every copy button, also those that arrive later; called once. */
export function wire() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    event.preventDefault();
    const done = await copy(button.dataset.copy).catch(() => false);
    button.focus();
    if (done) toast(`Copied ${button.dataset.copyLabel ?? button.dataset.copy}.`);
    else toast("The browser does not allow copying here. Select the text and copy it by hand.", "problem");
  });
}
