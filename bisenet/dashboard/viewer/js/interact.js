// Pointer, wheel, touch and keyboard on a stage.

import { ARROWS } from "./dom.js";
import { clamp } from "./view.js";

const CLICK_SLOP = 5; // px a finger or a mouse may move and still click
const DOUBLE_MS = 280;
const PAGE_SCROLL_MS = 350;
const WHEEL_STEP = 0.0016;

let lastPageScroll = 0;

/** Ignores what happens on buttons and handles that lie on the stage. */
const onControl = (event) => event.target.closest?.("button, .divider, a") !== null;

/**
 * @param {import("./pane.js").Pane} pane
 * @param {AbortSignal} signal removes everything again
 */
export function interact(pane, signal) {
  const { stage, viewer } = pane;
  const { zoom } = viewer;
  const pointers = new Map();
  let drag = null;
  let pinch = null;
  let lastTap = null;
  const listen = (target, type, handler, options = {}) =>
    target.addEventListener(type, handler, { ...options, signal });

  listen(stage, "pointerdown", (event) => {
    if (onControl(event) || (event.pointerType === "mouse" && event.button !== 0)) return;
    pointers.set(event.pointerId, pane.fraction(event));
    if (pointers.size === 1) {
      drag = { x: event.clientX, y: event.clientY, cx: zoom.x, cy: zoom.y, moved: false };
    } else if (pointers.size === 2) {
      const [a, b] = [...pointers.values()];
      pinch = { gap: gap(a, b, stage), factor: zoom.factor };
      if (drag) drag.moved = true;
    }
  });

  listen(stage, "pointermove", (event) => {
    const [fx, fy] = pane.fraction(event);
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, [fx, fy]);
    if (pinch && pointers.size === 2) {
      const [a, b] = [...pointers.values()];
      const factor = (pinch.factor * gap(a, b, stage)) / pinch.gap;
      zoom.zoomAt((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, factor);
      return;
    }
    if (drag && pointers.size === 1) {
      const { width, height } = stage.getBoundingClientRect();
      const dx = event.clientX - drag.x;
      const dy = event.clientY - drag.y;
      if (!drag.moved && Math.hypot(dx, dy) > CLICK_SLOP) {
        drag.moved = true;
        if (zoom.factor > 1) stage.setPointerCapture(event.pointerId);
      }
      if (drag.moved && zoom.factor > 1) {
        stage.classList.add("dragging");
        viewer.point(pane, null);
        zoom.move(drag.cx - dx / width / zoom.factor, drag.cy - dy / height / zoom.factor);
        return;
      }
    }
    if (event.pointerType === "mouse" && !onControl(event)) viewer.point(pane, [fx, fy]);
    else if (event.pointerType === "mouse") viewer.point(pane, null);
  });

  const lift = (event) => {
    const known = pointers.delete(event.pointerId);
    if (pointers.size < 2) pinch = null;
    if (pointers.size) return;
    stage.classList.remove("dragging");
    const click = known && drag && !drag.moved && event.type === "pointerup";
    drag = null;
    if (click) tap(event);
  };
  listen(stage, "pointerup", lift);
  listen(stage, "pointercancel", lift);
  listen(stage, "pointerleave", (event) => {
    if (event.pointerType === "mouse") viewer.point(pane, null);
  });

  function tap(event) {
    const [fx, fy] = pane.fraction(event);
    const again =
      lastTap &&
      event.timeStamp - lastTap.at < DOUBLE_MS &&
      Math.hypot(event.clientX - lastTap.x, event.clientY - lastTap.y) < 24;
    if (again) {
      // The first tap has already chosen a region; a double tap means the view, not the region.
      viewer.select(lastTap.before);
      zoom.reset();
      lastTap = null;
      return;
    }
    const before = viewer.store.view.selected;
    lastTap = { at: event.timeStamp, x: event.clientX, y: event.clientY, before };
    if (event.pointerType !== "mouse") viewer.point(pane, [fx, fy]);
    viewer.toggleSelect(pane.classAt(fx, fy));
  }

  listen(
    stage,
    "wheel",
    (event) => {
      // A page scroll that carries the pointer onto the picture stays a page scroll.
      const scrolling = performance.now() - lastPageScroll < PAGE_SCROLL_MS;
      const outwards = event.deltaY > 0 && zoom.factor <= 1;
      if (!event.ctrlKey && (scrolling || outwards)) return;
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      const amount = event.deltaY * lines * WHEEL_STEP * (event.ctrlKey ? 6 : 1);
      zoom.zoomAt(...pane.fraction(event), zoom.factor * Math.exp(-amount));
    },
    { passive: false },
  );
  listen(document, "scroll", () => (lastPageScroll = performance.now()), {
    capture: true,
    passive: true,
  });

  listen(stage, "keydown", (event) => {
    if (event.target === stage && !event.ctrlKey && !event.metaKey && !event.altKey) {
      if (key(event)) event.preventDefault();
    }
  });
  listen(stage, "focus", () => stage.matches(":focus-visible") && viewer.describe());
  listen(stage, "blur", () => viewer.point(pane, null));

  function key(event) {
    const { key: name, shiftKey } = event;
    const arrow = ARROWS[name];
    if (arrow && shiftKey) {
      zoom.move(zoom.x + (arrow[0] * 0.12) / zoom.factor, zoom.y + (arrow[1] * 0.12) / zoom.factor);
    } else if (arrow) {
      viewer.step(pane, arrow[0] + arrow[1]);
    } else if (name === "Enter" || name === " ") {
      viewer.toggleSelect(viewer.hover);
    } else if (name === "Escape") {
      if (viewer.store.view.selected === null && viewer.store.view.face === null) return false;
      viewer.clear();
    } else if (name === "+" || name === "=") {
      zoom.closer();
    } else if (name === "-" || name === "_") {
      zoom.farther();
    } else if (name === "0") {
      zoom.reset();
    } else if (name === "?") {
      viewer.toolbar.toggleHelp();
    } else {
      return false;
    }
    return true;
  }

  divide(pane, listen);
}

/** Distance of two touch points in pixels. */
function gap(a, b, stage) {
  const { width, height } = stage.getBoundingClientRect();
  return Math.max(8, Math.hypot((a[0] - b[0]) * width, (a[1] - b[1]) * height));
}

/** The before/after divider: dragged, or moved with the arrow keys. */
function divide(pane, listen) {
  const { divider, viewer } = pane;
  const set = (value) => viewer.store.setSplit(clamp(value));
  listen(divider, "pointerdown", (event) => {
    divider.setPointerCapture(event.pointerId);
    event.preventDefault();
    divider.focus({ preventScroll: true });
  });
  listen(divider, "pointermove", (event) => {
    if (divider.hasPointerCapture(event.pointerId)) set(pane.fraction(event)[0]);
  });
  listen(divider, "keydown", (event) => {
    const step = { ArrowRight: 0.02, ArrowUp: 0.02, ArrowLeft: -0.02, ArrowDown: -0.02 }[event.key];
    if (step) set(viewer.store.split + step * (event.shiftKey ? 5 : 1));
    else if (event.key === "Home") set(0);
    else if (event.key === "End") set(1);
    else return;
    event.preventDefault();
  });
}
