/** The server's clock as seen from this page, so that an age is right even where the browser's clock is not. */

let skew = 0;
const start = Date.parse(document.documentElement.dataset.now ?? "");
// The page was written when the navigation's answer began; the rest is time that has passed since.
if (Number.isFinite(start)) {
  const [navigation] = performance.getEntriesByType("navigation");
  skew = start - (performance.timeOrigin + (navigation?.responseStart ?? performance.now()));
  if (Math.abs(skew) < 1500) skew = 0; // the transfer itself is not an offset
}

/** @returns {number} milliseconds since the epoch by the server's clock */
export function serverNow() {
  return Date.now() + skew;
}
