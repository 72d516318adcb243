// Boxing a face by hand. While it lasts a sheet lies over the picture and takes its pointers and keys,
// so that panning, pinching and selecting need not know of it.

import { ARROWS, h } from "./dom.js";
import { clamp } from "./view.js";

const MIN_PX = 12; // a smaller rectangle is a slip of the hand
const STEP = 0.02; // of the visible part, a press of an arrow key
const START = 0.4; // of the stage's shorter side, the rectangle that the keys start from
const KEYS =
  "Drag a rectangle around the face, from brow to chin. Or move one with the arrow keys, size it " +
  "with Shift and the arrow keys, Enter marks the face, Escape cancels.";

export class Marker {
  /** @param {import("./viewer.js").Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.pane = null;
    this.box = null; // two corners in 0..1 image coordinates, in no order
    this.pointer = null;
    this.rect = h("div.rect", { hidden: "" });
    this.how = h("span");
    this.sheet = h(
      "div.sheet",
      {
        tabindex: "0",
        role: "application",
        "aria-label": KEYS,
        on: {
          pointerdown: (event) => this.down(event),
          pointermove: (event) => this.move(event),
          pointerup: (event) => this.up(event),
          pointercancel: (event) => this.up(event),
          keydown: (event) => this.key(event),
        },
      },
      this.rect,
      h("div.how", { "aria-hidden": "true" }, this.how, h("kbd", { text: "Esc" })),
    );
    // A turn of the wheel between drags still zooms; during one it would pull the picture away.
    const hold = (event) => this.pointer !== null && (event.preventDefault(), event.stopPropagation());
    this.sheet.addEventListener("wheel", hold, { passive: false });
    viewer.root.addEventListener("keydown", (event) => {
      if (this.on && event.key === "Escape") this.stop();
    });
  }

  get on() {
    return this.pane !== null;
  }

  /** @param {boolean} byKeys shows a rectangle to move at once */
  toggle(byKeys) {
    const { panes } = this.viewer;
    if (this.on) return this.stop();
    if (!panes[0]?.pane.picture) return;
    this.pane = panes[0].pane;
    this.viewer.point(this.pane, null);
    this.pane.stage.append(this.sheet);
    this.sheet.focus({ preventScroll: true });
    if (byKeys) this.box = this.middle();
    this.how.textContent = byKeys
      ? "Arrows move, Shift + arrows size, Enter marks"
      : "Drag from brow to chin";
    this.show();
    this.viewer.toolbar.update();
  }

  stop() {
    if (!this.on) return;
    const focused = this.sheet.getRootNode().activeElement === this.sheet;
    this.pane = this.box = this.pointer = null;
    this.sheet.remove();
    this.show();
    this.viewer.toolbar.update();
    if (focused) this.viewer.toolbar.mark.focus({ preventScroll: true });
  }

  /** Draws the rectangle where the zoomed picture now has it. */
  show() {
    this.rect.hidden = this.box === null;
    this.sheet.classList.toggle("drawing", this.pointer !== null);
    if (this.box === null) return;
    this.viewer.zoom.place(this.rect, ...sorted(this.box));
  }

  at(event) {
    return this.viewer.zoom.toImage(...this.pane.fraction(event)).map((value) => clamp(value));
  }

  down(event) {
    event.stopPropagation();
    if (this.pointer !== null || (event.pointerType === "mouse" && event.button !== 0)) return;
    this.pointer = event.pointerId;
    this.sheet.setPointerCapture(event.pointerId);
    this.box = [...this.at(event), ...this.at(event)];
    this.show();
  }

  move(event) {
    event.stopPropagation();
    if (event.pointerId !== this.pointer) return;
    this.box = [this.box[0], this.box[1], ...this.at(event)];
    this.show();
  }

  up(event) {
    event.stopPropagation();
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    if (event.type === "pointerup" && this.largeEnough()) return this.send();
    this.box = null;
    this.show();
  }

  largeEnough() {
    const { width, height } = this.pane.stage.getBoundingClientRect();
    const { factor } = this.viewer.zoom;
    const [x0, y0, x1, y1] = sorted(this.box);
    return (x1 - x0) * factor * width >= MIN_PX && (y1 - y0) * factor * height >= MIN_PX;
  }

  send() {
    const { width, height } = this.pane.size;
    const [x0, y0, x1, y1] = sorted(this.box);
    const pixels = [x0 * width, y0 * height, x1 * width, y1 * height];
    this.stop();
    this.viewer.markFace(pixels.map((value) => Math.round(value * 10) / 10));
  }

  key(event) {
    const { key, shiftKey } = event;
    const step = ARROWS[key];
    if (step) this.nudge(...step, shiftKey);
    else if (key === "Enter" && this.box) this.send();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  nudge(right, down, sizing) {
    const step = STEP / this.viewer.zoom.factor;
    const [x0, y0, x1, y1] = sorted(this.box ?? this.middle());
    const dx = Math.min(1 - x1, Math.max(sizing ? x0 + step - x1 : -x0, right * step));
    const dy = Math.min(1 - y1, Math.max(sizing ? y0 + step - y1 : -y0, down * step));
    this.box = sizing ? [x0, y0, x1 + dx, y1 + dy] : [x0 + dx, y0 + dy, x1 + dx, y1 + dy];
    this.show();
  }

  middle() {
    const { width, height } = this.pane.stage.getBoundingClientRect();
    const side = (START / 2) * Math.min(width, height);
    const { zoom } = this.viewer;
    return [
      ...zoom.toImage(0.5 - side / width, 0.5 - side / height),
      ...zoom.toImage(0.5 + side / width, 0.5 + side / height),
    ];
  }
}

function sorted([x0, y0, x1, y1]) {
  return [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
}
