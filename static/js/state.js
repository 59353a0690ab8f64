/**
 * [data-instance-state="plg_…"]: how a plugin instance is doing. The values' stream does not carry it, so the list of
 * instances is asked for every few seconds while such a mark is on the page and somebody can see it.
 */

const PAUSE = 5000;
const MARK = "[data-instance-state]";

async function refresh() {
  if (document.hidden || !["live", "polling"].includes(document.body.dataset.connection) || !document.querySelector(MARK)) return;
  const answer = await fetch("/plugins", { headers: { "HX-Request": "true" }, cache: "no-store", redirect: "manual" });
  if (!answer.ok) return;
  const list = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const mark of document.querySelectorAll(MARK)) {
    const fresh = list.querySelector(`[data-instance-state="${CSS.escape(mark.dataset.instanceState)}"]`);
    if (fresh && fresh.textContent.trim() !== mark.textContent.trim()) mark.replaceChildren(...fresh.childNodes);
  }
}

/** Begin to ask; called once. */
export function start() {
  setInterval(() => refresh().catch(() => {}), PAUSE); // the connection's own mark tells when nobody answers
}
