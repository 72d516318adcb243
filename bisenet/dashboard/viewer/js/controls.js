// The side panel: drawing mode, opacity, and one switch for each class and group.

import { ARROWS, h, icon } from "./dom.js";
import { ofWhat, percent, shareOf } from "./labels.js";
import { MODES } from "./store.js";

const title = (name) => name[0].toUpperCase() + name.slice(1);

export class Controls {
  /** @param {import("./viewer.js").Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.list = h("div.list", { role: "group", "aria-label": "Regions" });
    this.element = h("aside.panel", { "aria-label": "Regions and drawing" }, this.drawing(), this.list);
    this.rows = new Map();
    this.groups = new Map();
    this.beforeSolo = null;
    this.skeleton();
  }

  drawing() {
    const { store } = this.viewer;
    this.modes = MODES.map((mode) =>
      h("button.mode", {
        text: title(mode),
        role: "radio",
        "data-mode": mode,
        on: { click: () => store.set({ mode }), keydown: (event) => this.modeKey(event) },
      }),
    );
    this.range = h("input.range", {
      type: "range",
      min: "0",
      max: "100",
      step: "1",
      "aria-label": "Overlay opacity in percent",
      on: { input: (event) => store.set({ opacity: Number(event.target.value) }) },
    });
    this.value = h("output.value");
    return h(
      "div.drawing",
      {},
      h("div.modes", { role: "radiogroup", "aria-label": "Draw regions as" }, ...this.modes),
      h("label.opacity", {}, h("span", { text: "Opacity" }), this.range, this.value),
    );
  }

  modeKey(event) {
    const [right, down] = ARROWS[event.key] ?? [0, 0];
    if (!right && !down) return;
    event.preventDefault();
    const next = this.modes.indexOf(event.currentTarget) + right + down;
    const mode = this.modes.at(next % MODES.length);
    mode.focus();
    mode.click();
  }

  skeleton() {
    this.list.classList.add("waiting");
    this.list.replaceChildren(...Array.from({ length: 13 }, () => h("div.bone")));
  }

  /** @param {import("./labels.js").PictureStats[]} stats one a picture */
  build(stats) {
    const { classes, store } = this.viewer;
    const present = classes.filter((c) => stats.some((s) => s.has(c.id)));
    const absent = classes.filter((c) => !present.includes(c));
    const all = classes.map((c) => c.id);
    const action = (text, label, run) =>
      h("button.action", { text, "aria-label": label, on: { click: run } });
    this.rows.clear();
    this.groups.clear();
    const head = h(
      "div.head",
      {},
      h("span.count", { text: `${present.length} regions` }),
      action("All", "Show all regions", () => this.setHidden([])),
      action("None", "Hide all regions", () => this.setHidden(all)),
      action("Invert", "Show what is hidden and hide what is shown", () =>
        this.setHidden(all.filter((id) => !store.isHidden(id))),
      ),
    );
    const sections = this.viewer.data.groups.map((group) => {
      const members = present.filter((c) => c.group === group);
      return members.length ? this.section(group, members, stats) : null;
    });
    this.list.classList.remove("waiting");
    this.list.replaceChildren(head, ...sections.filter(Boolean), ...this.foot(absent, stats));
    this.update();
  }

  section(group, members, stats) {
    // A group with one class of the same name would say everything twice.
    if (members.length === 1 && members[0].title === title(group)) {
      return h("div.section", { "data-group": group }, this.row(members[0], stats));
    }
    const toggle = h(
      "button.group",
      { role: "switch", "aria-label": `${title(group)}, the whole group`, on: { click: () => this.toggleGroup(group) } },
      h("span.track"),
      h("span.name", { text: title(group) }),
      ...this.shares(members.map((c) => c.id), stats),
    );
    this.groups.set(group, { toggle, ids: members.map((c) => c.id) });
    return h("div.section", { "data-group": group }, toggle, ...members.map((c) => this.row(c, stats)));
  }

  shares(ids, stats) {
    const { ofPhoto } = this.viewer.data;
    return stats.map((s) => h("span.share", { text: percent(shareOf(s, ids, ofPhoto)) }));
  }

  row(info, stats) {
    const { viewer } = this;
    const swatch = h("span.swatch", {}, icon("check"));
    swatch.style.setProperty("--class", info.color);
    swatch.style.setProperty("--ink", info.ink);
    const toggle = h(
      "button.switch",
      { role: "switch", "data-class": info.name, on: { click: () => this.toggle(info.id) } },
      swatch,
      h("span.name", { text: info.title }),
      ...this.shares([info.id], stats),
    );
    const only = h("button.only", {
      text: "Only",
      "aria-label": `Show only ${info.title}`,
      on: { click: () => this.solo(info.id) },
    });
    const light = (id) => () => viewer.setHover(id);
    const row = h(
      "div.row",
      {
        on: {
          pointerenter: (event) => event.pointerType === "mouse" && light(info.id)(),
          pointerleave: light(null),
          focusin: light(info.id),
          focusout: light(null),
        },
      },
      toggle,
      only,
    );
    this.rows.set(info.id, { row, toggle, only });
    return row;
  }

  /** What the hatching means; null where all of the pictures was looked at. */
  legend(stats) {
    if (!stats.some((s) => s.unseen)) return null;
    const parts = stats.map((s) => percent(s.unseen)).join(" and ");
    const where = stats.length > 1 ? "the photos" : "the photo";
    return h(
      "div.legend",
      {},
      h("span.swatch.unseen"),
      h("span", {}, h("b", { text: "Not looked at" }), h("span", { text: `${parts} of ${where}` })),
    );
  }

  foot(absent, stats) {
    const kinds = new Set(stats.map((s) => ofWhat(s, this.viewer.data.ofPhoto)));
    const shares = kinds.has("of what was looked at") ? "Shares are of what was looked at. " : "";
    const names = absent.map((c) => h("li", { text: c.title }));
    const where = this.viewer.panes.length > 1 ? "Not in these photos" : "Not in this photo";
    return [
      this.legend(stats),
      absent.length
        ? h(
            "details.absent",
            {},
            h("summary", { text: `${where} (${absent.length})` }),
            h("ul", {}, ...names),
          )
        : null,
      h("p.note", { text: `${shares}Left and right are the person’s own.` }),
    ].filter(Boolean);
  }

  setHidden(hidden, beforeSolo = null) {
    this.beforeSolo = beforeSolo;
    this.viewer.store.set({ hidden: [...hidden].sort((a, b) => a - b) });
  }

  toggle(id) {
    this.viewer.setHover(null); // show what the switch did, not that its row is pointed at
    const { hidden } = this.viewer.store.view;
    this.setHidden(hidden.includes(id) ? hidden.filter((h2) => h2 !== id) : [...hidden, id]);
  }

  toggleGroup(group) {
    const { hidden } = this.viewer.store.view;
    const everyone = this.viewer.classes.filter((c) => c.group === group).map((c) => c.id);
    const shown = this.groups.get(group).ids.every((id) => !hidden.includes(id));
    const others = hidden.filter((id) => !everyone.includes(id));
    this.setHidden(shown ? [...others, ...everyone] : others);
  }

  /** Shows one class alone; a second press brings back what was shown before. */
  solo(id) {
    this.viewer.setHover(null);
    const { store, classes } = this.viewer;
    const alone = classes.map((c) => c.id).filter((other) => other !== id);
    if (String(alone) === String(store.view.hidden) && this.beforeSolo) {
      this.setHidden(this.beforeSolo);
    } else {
      this.setHidden(alone, this.beforeSolo ?? store.view.hidden);
    }
  }

  update() {
    const { view } = this.viewer.store;
    for (const button of this.modes) {
      const chosen = button.dataset.mode === view.mode;
      button.setAttribute("aria-checked", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
    }
    this.range.value = String(view.opacity);
    this.range.style.setProperty("--at", `${view.opacity}%`);
    this.value.textContent = `${view.opacity}\u202f%`;
    const shownCount = [...this.rows.keys()].filter((id) => !view.hidden.includes(id)).length;
    for (const [id, { row, toggle, only }] of this.rows) {
      const shown = !view.hidden.includes(id);
      toggle.setAttribute("aria-checked", String(shown));
      row.classList.toggle("chosen", view.selected === id);
      only.setAttribute("aria-pressed", String(shown && shownCount === 1));
    }
    for (const { toggle, ids } of this.groups.values()) {
      const shown = ids.filter((id) => !view.hidden.includes(id)).length;
      // role=switch has no mixed state, so "some" is told apart by the looks and the description.
      toggle.setAttribute("aria-checked", String(shown === ids.length));
      toggle.classList.toggle("some", shown > 0 && shown < ids.length);
    }
  }

  /** Marks the row of the region that is pointed at in the picture. */
  mark(id) {
    for (const [other, { row }] of this.rows) row.classList.toggle("lit", other === id);
  }
}
