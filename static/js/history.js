/** Recent history for charts and sparklines: one request for many channels, in the API's chunks. */

const PER_REQUEST = 20;

/**
 * @param {string[]} events channel ids
 * @param {number} minutes length of the window that ends now
 * @param {number} points at most so many per channel; peaks are kept
 * @returns {Promise<Map<string, {times: number[], values: (number|null)[]}>>} times in seconds since the epoch, ascending
 */
export async function recent(events, minutes, points) {
  const { liveSeries } = document.body.dataset;
  const token = document.querySelector("meta[name=csrf-token]")?.content ?? "";
  const series = new Map();
  for (let from = 0; from < events.length; from += PER_REQUEST) {
    const answer = await fetch(liveSeries, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token },
      body: JSON.stringify({
        event_public_ids: events.slice(from, from + PER_REQUEST), minutes, max_points: points, downsample: "minmax",
      }),
      signal: AbortSignal.timeout(15000),
    });
    if (!answer.ok) throw new Error(`The history could not be read (${answer.status}).`);
    for (const [event, list] of Object.entries(await answer.json())) {
      series.set(event, {
        times: list.map((point) => Date.parse(point.timestamp) / 1000),
        values: list.map((point) => point.value),
      });
    }
  }
  return series;
}
