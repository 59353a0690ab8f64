/** The one region for messages: from the server (HX-Trigger: {"toast": {"kind", "message"}}), from failed requests, from modules. */

const LIFETIME = 6000;
const SENTENCES = {
  400: "The server did not understand this request. Load the page again and repeat the step.",
  403: "Your role does not allow this.",
  404: "This no longer exists.",
  409: "Someone changed this in the meantime. Load the page again and retry.",
  413: "This is larger than the server accepts.",
  422: "Some of the values were not accepted.",
  429: "Too many requests. Wait a moment and retry.",
  503: "The server is not ready. Try again in a few seconds.",
};

/** Show a message; a problem stays until it is dismissed, other kinds leave after six seconds. */
export function toast(message, kind = "info") {
  const region = document.getElementById("toasts");
  const template = document.getElementById("toast-template");
  if (!region || !template) return;
  const last = region.lastElementChild;
  if (last?.querySelector("[data-toast-text]")?.textContent === message) last.remove(); // one failure, one message
  const item = template.content.firstElementChild.cloneNode(true);
  item.classList.toggle("toast--problem", kind === "problem");
  for (const icon of item.querySelectorAll("[data-toast-icon]")) icon.toggleAttribute("hidden", icon.dataset.toastIcon !== kind);
  item.querySelector("[data-toast-text]").textContent = message;
  place(region);
  region.append(item);
  arm(item, kind);
}

/** Everything outside an open modal dialog is inert and lies below it, so the region moves in for as long as it is open. */
function place(region) {
  const dialog = document.querySelector("dialog:modal");
  if (dialog?.contains(region)) return;
  (dialog ?? document.body).append(region);
  dialog?.addEventListener("close", () => document.body.append(region), { once: true });
}

function arm(item, kind) {
  item.querySelector("[data-toast-close]")?.addEventListener("click", () => item.remove());
  if (kind === "problem") return;
  let timer = setTimeout(() => item.remove(), LIFETIME);
  for (const [event, act] of [
    ["pointerenter", () => clearTimeout(timer)],
    ["focusin", () => clearTimeout(timer)],
    ["pointerleave", () => { timer = setTimeout(() => item.remove(), LIFETIME); }],
  ]) item.addEventListener(event, act);
}

function sentence(request) {
  const { status } = request;
  if (request.getResponseHeader("Content-Type")?.includes("json")) {
    try {
      const { detail } = JSON.parse(request.responseText);
      if (typeof detail === "string") return detail;
      if (Array.isArray(detail)) return detail.map((item) => item.msg).join(" ");
    } catch {
      // The body is not what it says; the sentence by status follows.
    }
  }
  const page = new DOMParser().parseFromString(request.responseText ?? "", "text/html");
  const given = page.querySelector("[data-error-sentence]")?.textContent.trim();
  const said = given || SENTENCES[status] || `The server failed at this step (${status}). Nothing was saved.`;
  const id = request.getResponseHeader("X-Request-ID");
  return status >= 500 && id ? `${said} Request ${id}.` : said;
}

/** Bind the region and htmx's failures; called once. */
export function wire() {
  for (const item of document.querySelectorAll("#toasts > .toast")) {
    arm(item, item.classList.contains("toast--problem") ? "problem" : "info");
  }
  document.body.addEventListener("toast", ({ detail }) => toast(detail.message ?? String(detail.value), detail.kind));
  document.body.addEventListener("htmx:responseError", ({ detail }) => {
    // A signed-out browser is sent on by HX-Redirect; without it the page itself asks for the sign-in.
    if (detail.xhr.status === 401) location.reload();
    else toast(sentence(detail.xhr), "problem");
  });
  document.body.addEventListener("htmx:sendError", () => toast("The server cannot be reached. Nothing was sent.", "problem"));
  document.body.addEventListener("htmx:timeout", () => toast("The server did not answer in time. Check before you retry.", "problem"));
  document.body.addEventListener("htmx:swapError", () => toast("The answer could not be shown. Load the page again.", "problem"));
}
