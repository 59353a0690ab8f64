/** The numbers behind a live strip: one growing line per channel, its gaps, its summary. Knows nothing of drawing. */

/** @returns {number} the median distance of ascending times, in seconds; 1 when there are too few to tell */
export function typicalStep(times) {
  if (times.length < 3) return 1;
  const steps = [];
  for (let i = 1; i < times.length; i += 1) steps.push(times[i] - times[i - 1]);
  steps.sort((a, b) => a - b);
  return steps[steps.length >> 1] || 1;
}

/** The index of the last time that is not after `at`, or -1; times ascend. */
export function indexAt(times, at) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** One channel's points within the window; times in seconds since the epoch, ascending. */
export class Line {
  constructor({ event, name, unit, step = false }) {
    Object.assign(this, { event, name, unit: unit ?? "", step, times: [], values: [], gap: 60 });
  }

  seed({ times, values }, from) {
    const kept = indexAt(this.times, times.at(-1) ?? -Infinity) + 1; // what arrived after the history was read stays
    this.times = [...times, ...this.times.slice(kept)];
    this.values = [...values, ...this.values.slice(kept)];
    this.trim(from);
    this.gap = Math.max(10, 4 * typicalStep(this.times));
  }

  append(time, value) {
    if (time <= (this.times.at(-1) ?? -Infinity)) return;
    this.times.push(time);
    this.values.push(value);
  }

  trim(from) {
    const outside = indexAt(this.times, from) - 1; // the point just outside keeps the line running in from the edge
    if (outside > 0) {
      this.times.splice(0, outside);
      this.values.splice(0, outside);
    }
  }

  /** @returns {[number[], (number|null)[]]} the points with a null wherever data are missing, so that a gap is drawn as a gap */
  withGaps() {
    const times = [];
    const values = [];
    for (let i = 0; i < this.times.length; i += 1) {
      if (i > 0 && this.times[i] - this.times[i - 1] > this.gap) {
        times.push((this.times[i] + this.times[i - 1]) / 2);
        values.push(null);
      }
      times.push(this.times[i]);
      values.push(this.values[i]);
    }
    return [times, values];
  }

  /** @returns {number|null} the value at a moment (seconds): the last one before it, unless a gap lies between */
  at(moment) {
    const i = indexAt(this.times, moment);
    if (i < 0 || moment - this.times[i] > this.gap) return null;
    return this.values[i];
  }

  /** @returns {{last: number|null, low: number|null, high: number|null}} over the window */
  summary() {
    let low = Infinity;
    let high = -Infinity;
    let last = null;
    for (const value of this.values) {
      if (value === null) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
      last = value;
    }
    return last === null ? { last, low: null, high: null } : { last, low, high };
  }
}
