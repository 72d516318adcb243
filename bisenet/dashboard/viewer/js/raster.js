// From a label map to overlay pixels, in two steps: `resample` runs when the view moves, `compose`
// when a switch or the opacity changes. The second touches only a table and the boundary pixels,
// which is what keeps a switch far below a frame even for a 12-megapixel label map.

import { Votes, resampleSmooth } from "./smooth.js";

const REACH_CSS = 3.2; // how far inside a region its outline reaches, in CSS pixels
const HATCH_CSS = 9; // from one line of a hatching to the next, in CSS pixels
const FAR = 255;
const ENLARGED = 1.5; // canvas pixels per label pixel from which stairs would show

/**
 * @typedef {{width: number, height: number, first: Uint8Array, second: Uint8Array, mix: Uint8Array,
 *   distance: Uint8Array, reach: number, border: Uint32Array, borders: number}} Frame
 *   first/second: the classes that a pixel touches; mix: weight of the second, 0..127;
 *   distance: tenths of a pixel to the region's edge, up to `reach`; border: indices of the first
 *   `borders` pixels that are that near to one
 */

/** @param {number} scale device pixels per CSS pixel @returns {Frame} */
export function createFrame(width, height, scale) {
  const size = width * height;
  return {
    width,
    height,
    first: new Uint8Array(size),
    second: new Uint8Array(size),
    mix: new Uint8Array(size),
    distance: new Uint8Array(size),
    reach: Math.min(FAR - 1, Math.round(REACH_CSS * scale * 10)),
    border: new Uint32Array(size),
    borders: 0,
  };
}

/** Where the samples of one axis fall: two neighbours and the weight of the second, 0..256. */
function axis(count, start, extent, limit) {
  const low = new Uint32Array(count);
  const high = new Uint32Array(count);
  const weight = new Uint16Array(count);
  const step = extent / count;
  const clamp = (value) => Math.min(limit - 1, Math.max(0, value));
  for (let i = 0; i < count; i++) {
    const centre = start + (i + 0.5) * step;
    if (step >= 1) {
      low[i] = clamp(Math.floor(centre - step / 4));
      high[i] = clamp(Math.floor(centre + step / 4));
      weight[i] = 128;
    } else {
      const left = Math.floor(centre - 0.5);
      low[i] = clamp(left);
      high[i] = clamp(left + 1);
      weight[i] = Math.round((centre - 0.5 - left) * 256);
    }
  }
  return { low, high, weight };
}

/**
 * Samples a rectangle of the label map (in label pixels) into a frame, with sub-pixel boundaries:
 * each pixel keeps the two classes it touches most and their mix, sharpened to one canvas pixel.
 * @param {import("./plane.js").ByteMap} map
 * @param {{x: number, y: number, w: number, h: number}} rect
 * @param {Frame} frame
 */
export function resample(map, rect, frame) {
  if (frame.width / rect.w >= ENLARGED) resampleSmooth(map, rect, frame);
  else resampleDirect(map, rect, frame);
  measureDistance(frame);
}

function resampleDirect(map, rect, frame) {
  const { width, height } = frame;
  const across = axis(width, rect.x, rect.w, map.width);
  const down = axis(height, rect.y, rect.h, map.height);
  const votes = new Votes(frame, Math.max(1, width / rect.w));
  const data = map.data;
  for (let y = 0; y < height; y++) {
    const upper = down.low[y] * map.width;
    const lower = down.high[y] * map.width;
    const wy = down.weight[y];
    for (let x = 0, i = y * width; x < width; x++, i++) {
      const left = across.low[x];
      const right = across.high[x];
      const a = data[upper + left];
      const b = data[upper + right];
      const c = data[lower + left];
      const d = data[lower + right];
      if (a === b && a === c && a === d) {
        votes.whole(i, a);
        continue;
      }
      const wx = across.weight[x];
      votes.add(a, (256 - wx) * (256 - wy));
      votes.add(b, wx * (256 - wy));
      votes.add(c, (256 - wx) * wy);
      votes.add(d, wx * wy);
      votes.settle(i);
    }
  }
}

/**
 * Distances to the nearest edge, and the list of the pixels near one. Only the edges' surroundings
 * are visited: they are a few percent of the frame.
 */
function measureDistance(frame) {
  const { width, height, first, mix, distance, border, reach } = frame;
  distance.fill(FAR);
  let count = 0;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const c = first[i];
      if (
        mix[i] ||
        (x > 0 && first[i - 1] !== c) ||
        (x + 1 < width && first[i + 1] !== c) ||
        (y > 0 && first[i - width] !== c) ||
        (y + 1 < height && first[i + width] !== c)
      ) {
        // Half a pixel from the edge, less where the edge runs through the pixel itself.
        distance[i] = 5 - ((mix[i] * 5) >> 7);
        border[count++] = i;
      }
    }
  }
  const edges = count;
  const around = neighbourhood(reach);
  for (let k = 0; k < edges; k++) {
    const i = border[k];
    const x = i % width;
    const y = (i - x) / width;
    const c = first[i];
    for (let n = 0; n < around.length; n += 3) {
      const nx = x + around[n];
      const ny = y + around[n + 1];
      if (nx < 0 || ny < 0 || nx >= width || ny >= height) continue;
      const j = ny * width + nx;
      const here = distance[j];
      const value = 5 + around[n + 2];
      if (value >= here || first[j] !== c) continue;
      if (here === FAR) border[count++] = j;
      distance[j] = value;
    }
  }
  frame.borders = count;
}

/** Offsets within reach, nearest first: dx, dy and the distance in tenths of a pixel. */
function neighbourhood(reach) {
  const radius = Math.ceil(reach / 10);
  const found = [];
  for (let dy = -radius; dy <= radius; dy++) {
    for (let dx = -radius; dx <= radius; dx++) {
      const d = Math.round(Math.hypot(dx, dy) * 10);
      if (d && d + 5 <= reach) found.push([dx, dy, d]);
    }
  }
  return Int16Array.from(found.sort((a, b) => a[2] - b[2]).flat());
}

/**
 * @typedef {{rgb: [number, number, number], fill: number, line: number, ring: number,
 *   hatch?: {rgb: [number, number, number], fill: number}|null}} Paint
 *   fill: alpha inside; line: alpha of the outline in the class colour; ring: alpha of the white
 *   outline of the region that is pointed at or selected; hatch: colour and alpha of lines over it
 */

/** Source-over of one premultiplied colour onto another, in place. */
function over(pixel, r, g, b, alpha) {
  const keep = 1 - alpha;
  pixel[0] = r * alpha + pixel[0] * keep;
  pixel[1] = g * alpha + pixel[1] * keep;
  pixel[2] = b * alpha + pixel[2] * keep;
  pixel[3] = alpha + pixel[3] * keep;
}

/** Premultiplied colour of a class at each distance from its edge. */
function profile(paint, scale, reach, out, offset) {
  const lineWidth = 1.5 * scale;
  const pixel = [0, 0, 0, 0];
  for (let d = 0; d <= reach; d++) {
    const px = d / 10;
    pixel.fill(0);
    over(pixel, ...paint.rgb, paint.fill);
    const within = (reach) => Math.min(1, Math.max(0, reach + 0.5 - px));
    if (paint.line) {
      over(pixel, 0, 0, 0, 0.3 * paint.line * within(lineWidth + 0.8 * scale));
      over(pixel, ...paint.rgb, paint.line * within(lineWidth));
    }
    if (paint.ring) {
      over(pixel, 12, 14, 18, 0.55 * paint.ring * within(2.6 * scale));
      over(pixel, 255, 255, 255, paint.ring * within(1.5 * scale));
    }
    out.set(pixel, offset + d * 4);
  }
}

/** @returns {number} RGBA, little-endian */
function packed([r, g, b], alpha) {
  return ((Math.round(alpha * 255) << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** Draws slanted lines over a class; pixels between the lines are not visited. */
function hatch(frame, c, color, scale, pixels) {
  const { width, height, first } = frame;
  const apart = Math.max(4, Math.round(HATCH_CSS * scale));
  const thick = Math.max(1, Math.round(scale));
  for (let y = 0; y < height; y++) {
    const row = y * width;
    for (let x = -(y % apart); x < width; x += apart) {
      for (let i = row + Math.max(0, x); i < row + Math.min(width, x + thick); i++) {
        if (first[i] === c) pixels[i] = color;
      }
    }
  }
}

/**
 * Paints the overlay.
 * @param {Frame} frame @param {Paint[]} paints by class id @param {number} scale device pixels per
 *   CSS pixel @param {Uint32Array} pixels RGBA of the frame, little-endian
 */
export function compose(frame, paints, scale, pixels) {
  const { first, second, mix, distance, reach, border, borders } = frame;
  const stride = (reach + 1) * 4;
  const flat = new Uint32Array(256);
  const profiles = new Float32Array(paints.length * stride);
  paints.forEach((paint, c) => {
    flat[c] = packed(paint.rgb, paint.fill);
    profile(paint, scale, reach, profiles, c * stride);
  });
  for (let i = 0; i < pixels.length; i++) pixels[i] = flat[first[i]];
  paints.forEach((paint, c) => {
    if (paint.hatch) hatch(frame, c, packed(paint.hatch.rgb, paint.hatch.fill), scale, pixels);
  });
  const known = paints.length;
  for (let k = 0; k < borders; k++) {
    const i = border[k];
    if (first[i] >= known || second[i] >= known) continue;
    const a = first[i] * stride + distance[i] * 4;
    const b = second[i] * stride + distance[i] * 4;
    const t = mix[i] / 255;
    const s = 1 - t;
    const alpha = profiles[a + 3] * s + profiles[b + 3] * t;
    if (alpha < 0.002) {
      pixels[i] = 0;
      continue;
    }
    const scaleUp = 1 / alpha;
    const red = (profiles[a] * s + profiles[b] * t) * scaleUp;
    const green = (profiles[a + 1] * s + profiles[b + 1] * t) * scaleUp;
    const blue = (profiles[a + 2] * s + profiles[b + 2] * t) * scaleUp;
    pixels[i] =
      (((alpha * 255 + 0.5) << 24) | ((blue + 0.5) << 16) | ((green + 0.5) << 8) | (red + 0.5)) >>> 0;
  }
}
