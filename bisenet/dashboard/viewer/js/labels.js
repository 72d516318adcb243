// What a label map says about each class, computed once when it arrives.

const STATS_PIXELS = 1e6;
// No class: where no view of the photo decided (bisenet/classes.py).
export const NOT_LOOKED_AT = 19;

/**
 * @typedef {{share: number, photoShare: number, point: [number, number]}} ClassStats
 *   shares 0..1 of what was looked at and of the whole image, and a point inside the region in 0..1
 *   coordinates
 * @typedef {Map<number, ClassStats> & {unseen: number}} PictureStats
 *   classes that occur, by id; unseen: share of the image that was not looked at, 0..1
 */

/** Value of a byte map at normalised coordinates, nearest sample. */
export function valueAt(map, u, v) {
  const x = Math.min(map.width - 1, Math.max(0, Math.floor(u * map.width)));
  const y = Math.min(map.height - 1, Math.max(0, Math.floor(v * map.height)));
  return map.data[y * map.width + x];
}

/**
 * @param {import("./plane.js").ByteMap} map
 * @returns {PictureStats}
 */
export function measureClasses(map) {
  const { width, height, data } = map;
  const count = new Float64Array(256);
  for (let i = 0; i < data.length; i++) count[data[i]]++;

  // Centres need no more than a million samples; the share is exact.
  const step = Math.max(1, Math.round(Math.sqrt((width * height) / STATS_PIXELS)));
  const n = new Float64Array(256);
  const sumX = new Float64Array(256);
  const sumY = new Float64Array(256);
  for (let y = 0; y < height; y += step) {
    for (let x = 0; x < width; x += step) {
      const c = data[y * width + x];
      n[c]++;
      sumX[c] += x;
      sumY[c] += y;
    }
  }
  // The centre of a ring or of two ears lies outside the region, so take its pixel nearest to it.
  const best = new Float64Array(256).fill(Infinity);
  const bestX = new Float64Array(256);
  const bestY = new Float64Array(256);
  for (let y = 0; y < height; y += step) {
    for (let x = 0; x < width; x += step) {
      const c = data[y * width + x];
      const distance = (x - sumX[c] / n[c]) ** 2 + (y - sumY[c] / n[c]) ** 2;
      if (distance < best[c]) {
        best[c] = distance;
        bestX[c] = x;
        bestY[c] = y;
      }
    }
  }
  const unseen = count[NOT_LOOKED_AT];
  const stats = Object.assign(new Map(), { unseen: unseen / data.length });
  for (let c = 0; c < 256; c++) {
    if (!count[c] || c === NOT_LOOKED_AT) continue;
    stats.set(c, {
      share: count[c] / (data.length - unseen),
      photoShare: count[c] / data.length,
      point: n[c] ? [(bestX[c] + 0.5) / width, (bestY[c] + 0.5) / height] : [0.5, 0.5],
    });
  }
  return stats;
}

/** Share of classes in a picture, 0..1: of the whole photo, or of what was looked at. */
export function shareOf(stats, ids, ofPhoto) {
  return ids.reduce((sum, id) => sum + (stats.get(id)?.[ofPhoto ? "photoShare" : "share"] ?? 0), 0);
}

/** What shares of a picture are shares of, in words. */
export function ofWhat(stats, ofPhoto) {
  return stats.unseen && !ofPhoto ? "of what was looked at" : "of the photo";
}

/** @param {number} share 0..1 @returns {string} e.g. "24 %", "3.1 %", "<0.1 %", "–" */
export function percent(share) {
  if (!share) return "–";
  const value = share * 100;
  if (value < 0.1) return "<0.1\u202f%";
  return `${value.toFixed(value < 9.95 ? 1 : 0)}\u202f%`;
}
