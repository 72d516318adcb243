// The bar under the picture. Tools stand in tasks (view, compare, edit), of which one is open, so that
// the bar stays short; zoom, download and help belong to all of them.

import { ARROWS, h, icon } from "./dom.js";

const KEYS = [
  ["Click, Enter", "select a region, again to clear it"],
  ["← ↑ → ↓", "go from region to region"],
  ["+  −  0", "zoom in, out, reset"],
  ["Shift + arrows", "move the zoomed picture"],
  ["Wheel, pinch", "zoom; drag moves, double click resets"],
  ["Esc", "clear the selection"],
];
const TASKS = {
  view: ["View", "Look at the photo and its regions"],
  compare: ["Compare", "Put another photo, or other weights, beside it"],
  edit: ["Edit", "Mark a face that was missed, dismiss one that is none"],
};
const NOTHING = "nothing";

export class Toolbar {
  /** @param {import("./viewer.js").Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.task = "view";
    const { zoom, store } = viewer;
    const button = (name, label, run) =>
      h("button.tool", { "aria-label": label, title: label, on: { click: run } }, icon(name));
    this.split = h(
      "button.tool.wide",
      {
        "aria-pressed": "false",
        title: "Drag the divider: the photo on its left, the regions on its right",
        on: { click: () => store.setSplit(store.split === null ? 0.5 : null) },
      },
      icon("split"),
      h("span", { text: "Before / after" }),
    );
    this.badges = h(
      "button.tool.wide.marks",
      {
        "aria-pressed": "true",
        "aria-label": "Face numbers",
        title: "Frame and number the faces",
        hidden: "",
        on: { click: () => store.set({ badges: store.view.badges === false }) },
      },
      icon("faces"),
      h("span", { text: "Face numbers" }),
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
    this.with = h("select.with", {
      "aria-label": "Compare with",
      on: { change: () => viewer.use("compare", { with: this.with.value }) },
    });
    this.factor = h("button.tool.factor", {
      title: "Show the whole picture",
      on: { click: () => zoom.reset() },
    });
    this.help = button("help", "Keys and gestures", () => this.toggleHelp());
    this.help.setAttribute("aria-expanded", "false");
    this.out = button("minus", "Zoom out", () => zoom.farther());
    this.download = h(
      "button.tool.wide.download",
      { "aria-label": "Download", title: "Pictures and numbers of this photo", on: { click: () => viewer.use("download") } },
      icon("download"),
      h("span", { text: "Download" }),
    );
    this.kits = {
      view: h("div.kit", {}, this.split, this.badges),
      compare: h("div.kit", {}, h("label.beside", {}, h("span", { text: "with" }), this.with)),
      edit: h("div.kit", {}, this.mark),
    };
    this.tasks = Object.entries(TASKS).map(([task, [name, title]]) =>
      h("button.task", {
        text: name,
        title,
        role: "radio",
        "data-task": task,
        on: { click: () => this.open(task), keydown: (event) => this.taskKey(event) },
      }),
    );
    this.element = h(
      "div.toolbar",
      { role: "toolbar", "aria-label": "Picture" },
      (this.chooser = h("div.tasks", { role: "radiogroup", "aria-label": "Tools to" }, ...this.tasks)),
      ...Object.values(this.kits),
      h("span.spring"),
      h("div.zoom", { role: "group", "aria-label": "Zoom" }, this.out, this.factor, button("plus", "Zoom in", () => zoom.closer())),
      this.download,
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

  /** @returns {string[]} the tasks that the page has tools for */
  get possible() {
    const { data } = this.viewer;
    return ["view", data?.choices?.length ? "compare" : null, data?.marking ? "edit" : null].filter(Boolean);
  }

  /** @param {"view"|"compare"|"edit"} task shows its tools in place of the last one's */
  open(task) {
    if (this.task === "edit" && task !== "edit") this.viewer.marker.stop();
    this.task = task;
    this.update();
    for (const { pane } of this.viewer.panes) if (pane.size) pane.placeFaces();
  }

  taskKey(event) {
    const [right, down] = ARROWS[event.key] ?? [0, 0];
    if (!right && !down) return;
    event.preventDefault();
    const shown = this.tasks.filter((one) => !one.hidden);
    const next = shown.at((shown.indexOf(event.currentTarget) + right + down) % shown.length);
    next.focus();
    next.click();
  }

  get helpOpen() {
    return !this.hint.hidden;
  }

  toggleHelp() {
    this.hint.hidden = !this.hint.hidden;
    this.help.setAttribute("aria-expanded", String(!this.hint.hidden));
  }

  /** Offers what the page says can be compared; new choices keep the one that is chosen. */
  configure() {
    const { choices = [], chosen = "", downloads } = this.viewer.data;
    const options = [["", NOTHING], ...choices].map(([value, text]) => h("option", { value, text }));
    this.with.replaceChildren(...options);
    this.with.value = chosen;
    this.download.hidden = !downloads;
    if (!this.possible.includes(this.task)) this.open("view");
    // Who comes back to a comparison finds the tool that ends it.
    if (chosen && chosen !== this.chosen) this.open("compare");
    this.chosen = chosen;
  }

  update() {
    const { zoom, store, marker, data, root } = this.viewer;
    const percent = `${Math.round(zoom.factor * 100)}\u202f%`;
    this.factor.textContent = percent;
    this.factor.setAttribute("aria-label", `${percent}, show the whole picture`);
    this.out.disabled = zoom.factor <= 1;
    this.factor.disabled = zoom.factor <= 1;
    this.split.setAttribute("aria-pressed", String(store.split !== null));
    this.mark.hidden = !data?.marking;
    this.mark.setAttribute("aria-pressed", String(marker.on));
    const { possible } = this;
    this.chooser.hidden = possible.length < 2;
    for (const one of this.tasks) {
      const { task } = one.dataset;
      one.hidden = !possible.includes(task);
      one.setAttribute("aria-checked", String(task === this.task));
      one.tabIndex = task === this.task ? 0 : -1;
      this.kits[task].hidden = task !== this.task;
    }
    root.classList.toggle("editing", this.task === "edit");
    const numbered = store.view?.badges !== false;
    this.badges.hidden = !data?.pictures.some(({ faces }) => faces?.length > 1);
    this.badges.setAttribute("aria-pressed", String(numbered));
    root.classList.toggle("unmarked", !numbered);
  }
}
