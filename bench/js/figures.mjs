// figures.mjs - what the measured points say: recall, medians, speed at a recall
// SPDX-License-Identifier: MIT OR Apache-2.0

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Mean share of the true ids that were found; both are k ids a query. */
export function recall(ids, truth, k) {
  let hits = 0;
  for (let at = 0; at < truth.length; at += k) {
    const wanted = new Set(truth.subarray(at, at + k));
    hits += new Set(ids.slice(at, at + k).filter((id) => wanted.has(id))).size;
  }
  return hits / truth.length;
}

/** Which of the points, in the order of their recall, a level lies between: one or two. */
export function around(recalls, level) {
  const above = recalls.findIndex((value) => value >= level);
  return above < 0 ? [recalls.length - 1] : above === 0 ? [0] : [above - 1, above];
}

/** Speed at a recall, its logarithm linear between two points { recall, speed }; the nearest
 * point's where the level is outside of them. */
export function atRecall(points, level) {
  const [a, b] = points;
  if (!b || b.recall === a.recall) return (b ?? a).speed;
  const part = Math.min(1, Math.max(0, (level - a.recall) / (b.recall - a.recall)));
  return Math.exp(Math.log(a.speed) * (1 - part) + Math.log(b.speed) * part);
}
