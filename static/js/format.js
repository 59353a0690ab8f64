/** Numbers, ages and times as the server writes them, for values that change while the page is open. */

/** @returns {string} the value with `decimals` places, else with about 4 significant digits as the server's filter `number`; "—" for none */
export function number(value, decimals) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "—";
  if (decimals !== undefined && decimals !== "") return minus(value.toFixed(Number(decimals)));
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e7 || size < 1e-4)) return minus(String(Number(value.toPrecision(4))));
  return minus(String(Number(value.toFixed(Math.max(0, 4 - String(Math.trunc(size)).length)))));
}

/** @returns {string} about four significant digits with fixed decimals, so that a legend does not jump */
export function steady(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "—";
  const size = Math.abs(value);
  if (size >= 1e9 || (size !== 0 && size < 1e-3)) return minus(value.toExponential(2));
  return minus(value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : 2));
}

/** @returns {string} an age such as "now", "34 s", "5 min", "3 h", "2 d" */
export function age(seconds) {
  if (seconds < 2) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dated = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

/** @returns {string} the local time of day; with the date when it is not today */
export function time(moment) {
  const date = new Date(moment);
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : dated.format(date);
}

/** @returns {string} the browser's zone, as a name and its present offset: "Europe/Berlin (UTC+1)" */
export function zone() {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const minutes = -new Date().getTimezoneOffset();
  if (minutes === 0) return timeZone === "UTC" ? "UTC" : `${timeZone} (UTC)`;
  const rest = Math.abs(minutes) % 60;
  const hours = `${minutes < 0 ? "−" : "+"}${Math.floor(Math.abs(minutes) / 60)}`;
  return `${timeZone} (UTC${hours}${rest ? `:${String(rest).padStart(2, "0")}` : ""})`;
}

function minus(text) {
  return text.replace("-", "−");
}
