// Where a face's number stands: outside every face, clear of the other numbers, smaller for small faces.

const LARGE = 26; // px high beside a large face
const SMALL = 13; // px high beside the smallest, still legible
const SHARE = 0.3; // of the face's height
const GAP = 3; // px between a face's frame and its number
const DIGIT = 0.32; // of the height, that each further digit takes
const OWN = 1e6; // how bad it is to cover the face itself, before another's, before a number

/**
 * @typedef {{x: number, y: number, w: number, h: number}} Rect stage pixels
 * @typedef {{box: Rect, digits: number, extra: boolean}} Marked a face, how long its number is, and
 *   whether a second button stands beside it
 */

const overlap = (a, b) =>
  Math.max(0, Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x)) *
  Math.max(0, Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y));

const grown = ({ x, y, w, h }, by) => ({ x: x - by, y: y - by, w: w + 2 * by, h: h + 2 * by });

/** @returns {{w: number, h: number}} of a face's number, in pixels */
function sizeOf({ box, digits, extra }, scale) {
  const h = Math.round(Math.min(LARGE, Math.max(SMALL, SHARE * box.h)) * scale);
  const number = Math.ceil(h * (1 + DIGIT * (digits - 1)));
  return { w: extra ? number + h : number, h };
}

/** Places beside a box, best first: above it, below, then to its sides. */
function places({ x, y, w, h }, size) {
  const [left, middle, right] = [x, x + (w - size.w) / 2, x + w - size.w];
  const [above, below] = [y - size.h, y + h];
  const beside = [x - size.w, x + w].flatMap((at) => [y, y + h - size.h].map((top) => [at, top]));
  return [
    ...[left, right, middle].map((at) => [at, above]),
    ...[left, right, middle].map((at) => [at, below]),
    ...beside,
  ];
}

/**
 * @param {Marked[]} faces
 * @param {{width: number, height: number}} stage
 * @returns {Rect[]} the numbers, in the order of the faces; a face out of sight has its number so too
 */
export function placeBadges(faces, stage) {
  const boxes = faces.map(({ box }) => grown(box, GAP));
  const whole = { x: 0, y: 0, w: stage.width, h: stage.height };
  const placed = [];
  return faces.map((face, number) => {
    const box = boxes[number];
    const seen = overlap(box, whole) > 0;
    const near = boxes.filter((other, i) => i !== number && overlap(grown(box, 2 * LARGE), other));
    let best = null;
    for (const scale of [1, 0.75, 0.5]) {
      const size = sizeOf(face, scale);
      if (scale < 1 && size.h < SMALL) break;
      for (const [left, top] of places(box, size)) {
        // What would leave the stage is moved in, and may then cover something.
        const x = seen ? Math.min(Math.max(left, 0), Math.max(0, stage.width - size.w)) : left;
        const y = seen ? Math.min(Math.max(top, 0), Math.max(0, stage.height - size.h)) : top;
        const one = { x, y, ...size };
        const covered = (rects) => rects.reduce((sum, rect) => sum + overlap(one, rect), 0);
        const cost = OWN * overlap(one, box) + 10 * covered(near) + covered(placed);
        if (!best || cost < best.cost) best = { one, cost };
        if (!cost) break;
      }
      if (!best.cost) break;
    }
    if (seen) placed.push(best.one);
    return best.one;
  });
}
