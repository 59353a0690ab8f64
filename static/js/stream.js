/**
 * The tab's one connection for live values: an event stream, polling while the stream fails, and the truth about which.
 *
 * Modes: "connecting" (no contact yet), "live" (stream), "polling" (stream down, requests answer), "offline" (nothing
 * has answered for OFFLINE milliseconds). A hidden tab holds no connection and catches up with one request.
 */

const QUIET = 3000; // the stream said nothing for so long: ask once
const OFFLINE = 4500;
const POLL = 2000;
const FAILURES_BEFORE_POLLING = 3;
const LONGEST_PAUSE = 15000;

export class Stream {
  /**
   * @param {{stream: string, latest: string, onValues: Function, onMode: Function, onResume: Function}} options
   *   addresses and what to call with values, with a changed mode, and after a pause in a hidden tab
   */
  constructor(options) {
    this.options = options;
    this.mode = null;
    this.failures = 0;
    this.contact = performance.now();
    this.asking = false;
    this.source = null;
  }

  start() {
    this.#connect();
    this.ticker = setInterval(() => this.#tick(), 500);
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#sleep() : this.#wake()));
    addEventListener("offline", () => { this.contact = -Infinity; this.#show(); });
    addEventListener("online", () => { this.#ask(); this.#reconnectSoon(0); });
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", (event) => { if (event.persisted) this.#wake(); });
    this.#show();
  }

  #connect() {
    this.#close();
    const source = new EventSource(this.options.stream);
    this.source = source;
    const heard = () => {
      this.contact = performance.now();
      this.failures = 0;
      this.open = true;
      this.#show();
    };
    source.addEventListener("open", heard);
    source.addEventListener("hello", heard);
    source.addEventListener("values", (event) => {
      heard();
      this.options.onValues(JSON.parse(event.data).values);
    });
    source.addEventListener("error", () => {
      if (source !== this.source) return;
      this.#close();
      this.failures += 1;
      this.#ask(); // tells a lost server from a lost stream, and a signed-out browser from both
      this.#reconnectSoon(Math.min(LONGEST_PAUSE, 500 * 2 ** this.failures) * (0.75 + Math.random() / 2));
      this.#show();
    });
  }

  #reconnectSoon(pause) {
    clearTimeout(this.retry);
    if (!document.hidden) this.retry = setTimeout(() => this.#connect(), pause);
  }

  #close() {
    clearTimeout(this.retry);
    this.source?.close();
    this.source = null;
    this.open = false;
  }

  #sleep() {
    this.#close();
    clearInterval(this.ticker);
    this.ticker = null;
  }

  #wake() {
    if (this.ticker) return;
    this.contact = performance.now();
    this.ticker = setInterval(() => this.#tick(), 500);
    this.#ask();
    this.#connect();
    this.options.onResume();
  }

  #tick() {
    const silence = performance.now() - this.contact;
    const polling = !this.open && this.failures >= FAILURES_BEFORE_POLLING;
    if (silence > (polling ? POLL : QUIET)) this.#ask();
    this.#show();
  }

  async #ask() {
    if (this.asking) return;
    this.asking = true;
    try {
      const answer = await fetch(this.options.latest, {
        headers: { Accept: "application/json" },
        cache: "no-store",
        redirect: "manual",
        signal: AbortSignal.timeout(1400),
      });
      if (answer.status === 401 || answer.type === "opaqueredirect") {
        location.reload(); // the page itself leads to the sign-in and back
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const { values } = await answer.json();
      const returned = this.mode === "offline" && !this.open;
      this.contact = performance.now();
      this.options.onValues(values);
      if (returned) this.#reconnectSoon(200); // a restarted server need not wait for the next attempt
    } catch {
      // No answer: the silence grows, and the mode follows from it.
    } finally {
      this.asking = false;
      this.#show();
    }
  }

  #show() {
    const silence = performance.now() - this.contact;
    let mode = "connecting";
    if (silence > OFFLINE) mode = "offline";
    else if (this.open) mode = "live";
    else if (this.failures >= FAILURES_BEFORE_POLLING) mode = "polling";
    if (mode === this.mode) return;
    this.mode = mode;
    this.options.onMode(mode);
  }
}
