// Zoom and pan as a centre and a factor in 0..1 image coordinates, so that two panes of different
// size can share one view.

const MAX_ZOOM = 24;
const STEP = 1.5; // of a button or a key
// Going to a part of the picture: its size on the stage, and no closer than this.
const ROOM = 1.7;
const MAX_LOOK = 8;

export const clamp = (value, low = 0, high = 1) => Math.min(high, Math.max(low, value));

/** Zoom state with listeners. */
export class Zoom {
  constructor() {
    this.listeners = new Set();
    this.factor = 1;
    this.x = 0.5;
    this.y = 0.5;
  }

  /** @returns {{x: number, y: number, size: number}} the visible square part, in 0..1 */
  window() {
    const size = 1 / this.factor;
    return { x: this.x - size / 2, y: this.y - size / 2, size };
  }

  /** Keeps the picture covering the stage. */
  move(x, y, factor = this.factor) {
    this.factor = clamp(factor, 1, MAX_ZOOM);
    const half = 0.5 / this.factor;
    this.x = clamp(x, half, 1 - half);
    this.y = clamp(y, half, 1 - half);
    for (const listener of [...this.listeners]) listener();
  }

  /** Zooms so that the picture's point under (fx, fy), fractions of the stage, stays there. */
  zoomAt(fx, fy, factor) {
    const next = clamp(factor, 1, MAX_ZOOM);
    const [u, v] = this.toImage(fx, fy);
    this.move(u - (fx - 0.5) / next, v - (fy - 0.5) / next, next);
  }

  /** Brings a part of the picture, in 0..1, to the middle with some room around it. */
  show(x0, y0, x1, y1) {
    const factor = Math.min(MAX_LOOK, 1 / (ROOM * Math.max(x1 - x0, y1 - y0)));
    this.move((x0 + x1) / 2, (y0 + y1) / 2, factor);
  }

  closer() {
    this.zoomAt(0.5, 0.5, this.factor * STEP);
  }

  farther() {
    this.zoomAt(0.5, 0.5, this.factor / STEP);
  }

  reset() {
    this.move(0.5, 0.5, 1);
  }

  /** Stage fraction -> image 0..1. */
  toImage(fx, fy) {
    return [this.x + (fx - 0.5) / this.factor, this.y + (fy - 0.5) / this.factor];
  }

  /** Image 0..1 -> stage fraction. */
  toStage(u, v) {
    return [(u - this.x) * this.factor + 0.5, (v - this.y) * this.factor + 0.5];
  }

  /** Lays an element of the stage over a box of the image, in 0..1. */
  place(element, x0, y0, x1, y1) {
    const [left, top] = this.toStage(x0, y0);
    Object.assign(element.style, {
      left: `${left * 100}%`,
      top: `${top * 100}%`,
      width: `${(x1 - x0) * this.factor * 100}%`,
      height: `${(y1 - y0) * this.factor * 100}%`,
    });
  }
}
