// Buttons on the picture: before/after, zoom, and the keys.

import { h, icon } from "./dom.js";

const KEYS = [
  ["Click, Enter", "select a region, again to clear it"],
  ["← ↑ → ↓", "go from region to region"],
  ["+  −  0", "zoom in, out, reset"],
  ["Shift + arrows", "move the zoomed picture"],
  ["Wheel, pinch", "zoom; drag moves, double click resets"],
  ["Esc", "clear the selection"],
];

export class Toolbar {
  /** @param {import("./viewer.js").Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    const { zoom, store } = viewer;
    const button = (name, label, run) =>
      h("button.tool", { "aria-label": label, title: label, on: { click: run } }, icon(name));
    this.split = h(
      "button.tool.wide",
      {
        "aria-pressed": "false",
        on: { click: () => store.setSplit(store.split === null ? 0.5 : null) },
      },
      icon("split"),
      h("span", { text: "Before / after" }),
    );
    this.mark = h(
      "button.tool.wide.mark",
      {
        "aria-pressed": "false",
        "aria-label": "Mark a face",
        title: "Mark a face that was missed: drag a rectangle around it",
        hidden: "",
        // A click without a count of clicks came from the keyboard.
        on: { click: (event) => viewer.marker.toggle(event.detail === 0) },
      },
      icon("mark"),
      h("span", { text: "Mark a face" }),
    );
    this.factor = h("button.tool.factor", {
      title: "Show the whole picture",
      on: { click: () => zoom.reset() },
    });
    this.help = button("help", "Keys and gestures", () => this.toggleHelp());
    this.help.classList.add("last");
    this.help.setAttribute("aria-expanded", "false");
    this.out = button("minus", "Zoom out", () => zoom.farther());
    this.element = h(
      "div.toolbar",
      { role: "toolbar", "aria-label": "Picture" },
      this.split,
      this.mark,
      h("span.spring"),
      this.out,
      this.factor,
      button("plus", "Zoom in", () => zoom.closer()),
      this.help,
    );
    const lines = KEYS.flatMap(([keys, what]) => [h("dt", { text: keys }), h("dd", { text: what })]);
    this.hint = h("dl.hint", { hidden: "" }, ...lines);
    this.element.append(this.hint);
    // Wherever the focus is: after a click it is on the button, in Safari on nothing.
    const escape = (event) => {
      if (event.key !== "Escape" || !this.helpOpen) return;
      event.stopPropagation();
      this.toggleHelp();
    };
    this.abort = new AbortController();
    document.addEventListener("keydown", escape, { capture: true, signal: this.abort.signal });
  }

  destroy() {
    this.abort.abort();
  }

  get helpOpen() {
    return !this.hint.hidden;
  }

  toggleHelp() {
    this.hint.hidden = !this.hint.hidden;
    this.help.setAttribute("aria-expanded", String(!this.hint.hidden));
  }

  update() {
    const { zoom, store, marker, data } = this.viewer;
    const percent = `${Math.round(zoom.factor * 100)}\u202f%`;
    this.factor.textContent = percent;
    this.factor.setAttribute("aria-label", `${percent}, show the whole picture`);
    this.out.disabled = zoom.factor <= 1;
    this.factor.disabled = zoom.factor <= 1;
    this.split.setAttribute("aria-pressed", String(store.split !== null));
    this.mark.hidden = !data?.marking;
    this.mark.setAttribute("aria-pressed", String(marker.on));
  }
}
