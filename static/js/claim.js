/** Pages that take a one-time code (claim, invitation, new password): it comes behind # (which no server and no log ever sees), goes into the field, and leaves the address. */

/** Bind the field [data-claim-code] inside `scope`. */
export function wire(scope) {
  const field = scope.querySelector("[data-claim-code]");
  if (!field) return;
  take(field);
  addEventListener("hashchange", () => take(field)); // the link opened where the page already is
}

function take(field) {
  const code = decodeURIComponent(location.hash.slice(1));
  if (!code) return;
  if (/^[A-Za-z0-9-]{4,80}$/.test(code)) {
    field.value = code.toUpperCase();
    field.form?.querySelector("input:not([type=hidden], [data-claim-code])")?.focus();
  }
  history.replaceState(history.state, "", location.pathname + location.search);
}
