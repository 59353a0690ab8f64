/**
 * Dialogs: <button popovertarget="x" data-dialog="x"> and <dialog id="x" popover>. Without this module the browser opens
 * it as a popover; with it the dialog is modal, so that focus stays inside and the page behind is inert.
 */

/** Open the dialog as a modal one. */
export function open(dialog) {
  if (dialog.open) return;
  dialog.showModal();
  dialog.querySelector("[autofocus], input:not([type=hidden]), select, textarea")?.focus();
}

function guardTypedName(dialog) {
  const input = dialog.querySelector("[data-confirm-text]");
  if (!input) return;
  const button = input.form.querySelector("[type=submit]");
  const check = () => { button.disabled = input.value.trim() !== input.dataset.confirmText; };
  input.addEventListener("input", check);
  check();
}

/** Bind openers and dialogs inside `scope`. */
export function wire(scope) {
  for (const dialog of scope.querySelectorAll("dialog[popover]")) {
    dialog.removeAttribute("popover"); // from here on it is opened modally
    guardTypedName(dialog);
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close(); // the backdrop belongs to the dialog element
      else if (event.target.closest("[data-dialog-close]")) dialog.close();
    });
  }
  for (const opener of scope.querySelectorAll("[data-dialog]")) {
    opener.removeAttribute("popovertarget");
    opener.setAttribute("aria-haspopup", "dialog");
    opener.addEventListener("click", (event) => {
      const dialog = document.getElementById(opener.dataset.dialog);
      if (!dialog) return; // a link then leads to its page
      event.preventDefault();
      open(dialog);
    });
  }
  const refused = [...scope.querySelectorAll("dialog[data-open]")].at(0);
  if (refused) open(refused);
}
