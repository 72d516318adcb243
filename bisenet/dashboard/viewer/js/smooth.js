// Boundaries of an enlarged label map. Its squares would show as stairs, so each class is blurred with
// a quadratic B-spline and the class that weighs most wins; no boundary moves further than half a
// label pixel.

/** Per pixel of a window of the map: whether all nine pixels around it are of one class. */
function evenPixels(map, x0, y0, x1, y1) {
  const width = x1 - x0;
  const even = new Uint8Array(width * (y1 - y0));
  const { data } = map;
  for (let y = y0; y < y1; y++) {
    const rows = [Math.max(0, y - 1), y, Math.min(map.height - 1, y + 1)].map((r) => r * map.width);
    for (let x = x0; x < x1; x++) {
      const left = Math.max(0, x - 1);
      const right = Math.min(map.width - 1, x + 1);
      const c = data[rows[1] + x];
      let same = data[rows[1] + left] === c && data[rows[1] + right] === c;
      for (let r = 0; same && r < 3; r += 2) {
        same = data[rows[r] + left] === c && data[rows[r] + x] === c && data[rows[r] + right] === c;
      }
      even[(y - y0) * width + x - x0] = same ? 1 : 0;
    }
  }
  return even;
}

/** Nearest map pixel and the spline's three weights for each sample of one axis. */
function splineAxis(count, start, extent, limit) {
  const centre = new Int32Array(count);
  const weights = new Float32Array(count * 3);
  for (let i = 0; i < count; i++) {
    const at = start + ((i + 0.5) * extent) / count - 0.5;
    const nearest = Math.min(limit - 1, Math.max(0, Math.round(at)));
    const t = Math.min(0.5, Math.max(-0.5, at - nearest));
    centre[i] = nearest;
    weights.set([(0.5 - t) ** 2 / 2, 0.75 - t * t, (0.5 + t) ** 2 / 2], i * 3);
  }
  return { centre, weights };
}

/** Weighs the classes that one pixel touches, and keeps the two that weigh most. */
export class Votes {
  /**
   * @param {import("./raster.js").Frame} frame takes `first`, `second` and `mix`
   * @param {number} sharpen how many times steeper than the map's pixels the boundary is drawn
   */
  constructor(frame, sharpen) {
    this.frame = frame;
    this.sharpen = sharpen;
    this.sums = new Float32Array(256);
    this.seen = new Uint8Array(9);
    this.kinds = 0;
  }

  add(c, weight) {
    if (this.sums[c] === 0) this.seen[this.kinds++] = c;
    this.sums[c] += weight + 1e-9; // so that a class of no weight is not met again as a new one
  }

  /** Pixel `i` is of one class. */
  whole(i, c) {
    const { first, second, mix } = this.frame;
    first[i] = c;
    second[i] = c;
    mix[i] = 0;
  }

  /** Pixel `i` gets the two classes with the most votes; the next pixel starts anew. */
  settle(i) {
    const { sums, seen, kinds } = this;
    const { first, second, mix } = this.frame;
    let top = seen[0];
    let next = seen[0];
    for (let k = 1; k < kinds; k++) {
      const c = seen[k];
      if (sums[c] > sums[top]) {
        next = top;
        top = c;
      } else if (next === top || sums[c] > sums[next]) {
        next = c;
      }
    }
    const nextWeight = next === top ? 0 : sums[next];
    const share = nextWeight / (sums[top] + nextWeight);
    const sharp = 0.5 - (0.5 - share) * this.sharpen;
    first[i] = top;
    second[i] = next;
    mix[i] = sharp <= 0 ? 0 : Math.min(127, Math.round(sharp * 255));
    for (let k = 0; k < kinds; k++) sums[seen[k]] = 0;
    this.kinds = 0;
  }
}

/**
 * Like `resample`, for views that enlarge the map: fills `first`, `second` and `mix`.
 * @param {import("./plane.js").ByteMap} map
 * @param {{x: number, y: number, w: number, h: number}} rect in label pixels
 * @param {import("./raster.js").Frame} frame
 */
export function resampleSmooth(map, rect, frame) {
  const { width, height } = frame;
  const { data } = map;
  const across = splineAxis(width, rect.x, rect.w, map.width);
  const down = splineAxis(height, rect.y, rect.h, map.height);
  const [x0, x1] = [across.centre[0], across.centre[width - 1] + 1];
  const [y0, y1] = [down.centre[0], down.centre[height - 1] + 1];
  const even = evenPixels(map, x0, y0, x1, y1);
  const votes = new Votes(frame, (1.35 * width) / rect.w);
  for (let y = 0; y < height; y++) {
    const cy = down.centre[y];
    const evenRow = (cy - y0) * (x1 - x0) - x0;
    for (let x = 0, i = y * width; x < width; x++, i++) {
      const cx = across.centre[x];
      if (even[evenRow + cx]) {
        votes.whole(i, data[cy * map.width + cx]);
        continue;
      }
      for (let r = -1; r <= 1; r++) {
        const row = Math.min(map.height - 1, Math.max(0, cy + r)) * map.width;
        const wy = down.weights[y * 3 + r + 1];
        for (let s = -1; s <= 1; s++) {
          const c = data[row + Math.min(map.width - 1, Math.max(0, cx + s))];
          votes.add(c, wy * across.weights[x * 3 + s + 1]);
        }
      }
      votes.settle(i);
    }
  }
}
