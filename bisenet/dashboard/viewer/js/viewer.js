// One mounted viewer: ties the store, the panes and the panel together and talks to the server.

import { h } from "./dom.js";
import { loadPicture, pictureKey } from "./assets.js";
import { NOT_LOOKED_AT, ofWhat, percent, shareOf } from "./labels.js";
import { Controls } from "./controls.js";
import { Pane } from "./pane.js";
import { Marker } from "./mark.js";
import { Toolbar } from "./toolbar.js";
import { interact } from "./interact.js";
import { store } from "./store.js";
import { Zoom } from "./view.js";

// A double click must not send two selections, and fast arrow keys not one each.
const SEND_AFTER_MS = 300;
// How long the faces stay as they are when the server has nothing to say to a change of them.
const ANSWER_MS = 8000;

export class Viewer {
  /** @param {ShadowRoot|HTMLElement} parent */
  constructor(parent) {
    this.store = store;
    this.zoom = new Zoom();
    this.classes = [];
    this.hover = null;
    this.panes = [];
    this.shown = "";
    this.photos = "";
    this.cameFrom = null; // the view before a face was gone to
    this.busyUntil = 0;
    this.listener = (change) => this.changed(change);
    this.moved = () => this.viewMoved();
    this.panesElement = h("div.panes");
    this.live = h("div.sr", { "aria-live": "polite" });
    this.root = h("div.viewer");
    parent.append(this.root);
  }

  /** Called by Streamlit on mount, on new data and on a theme change. */
  update({ data, setStateValue, setTriggerValue }) {
    this.setStateValue = setStateValue;
    this.setTriggerValue = setTriggerValue;
    this.classes = data.classes;
    if (!this.controls) {
      store.configure(data.classes, data.defaults);
      this.assemble();
      store.listeners.add(this.listener);
      this.zoom.listeners.add(this.moved);
    }
    const sharesChange = this.stats?.length && this.data.ofPhoto !== data.ofPhoto;
    this.data = data;
    this.busyUntil = 0;
    this.toolbar.configure();
    this.root.classList.toggle("bare", !data.controls);
    const key = data.pictures.map(pictureKey).join(" ");
    if (key !== this.shown) this.open(key);
    else {
      this.buildFaces();
      if (sharesChange) this.controls.build(this.stats);
    }
    const { face } = store.view;
    store.applyPush(data.push);
    if (store.view.face !== face) this.goTo(this.panes[0].pane.boxOf(store.view.face));
    this.changed({});
    this.send(); // a selection made just before a page change may not have been told yet
  }

  assemble() {
    this.controls = new Controls(this);
    this.toolbar = new Toolbar(this);
    this.marker = new Marker(this);
    const picture = h("div.picture", {}, this.panesElement, this.toolbar.element);
    this.root.append(h("div.layout", {}, picture, this.controls.element), this.live);
  }

  async open(key) {
    this.shown = key;
    const { pictures } = this.data;
    while (this.panes.length > pictures.length) {
      const { pane, abort } = this.panes.pop();
      abort.abort();
      pane.destroy();
    }
    while (this.panes.length < pictures.length) {
      const pane = new Pane(this, this.panes.length);
      const abort = new AbortController();
      interact(pane, abort.signal);
      this.panesElement.append(pane.element);
      this.panes.push({ pane, abort });
    }
    this.root.classList.toggle("comparing", pictures.length > 1);
    const { width, height } = pictures[0];
    this.root.style.setProperty("--ratio", (width / height).toFixed(5));
    this.hover = null;
    this.marker.stop();
    // Other labels of the same photo, after a face was marked, leave the view where it is.
    const photos = pictures.map((picture) => picture.photo).join(" ");
    const arrived = photos !== this.photos;
    this.photos = photos;
    if (arrived) {
      this.cameFrom = null;
      this.zoom.reset();
    }
    pictures.forEach((picture, i) => {
      this.panes[i].pane.reserve(picture);
      this.panes[i].pane.showLoading();
    });
    this.controls.skeleton();
    const results = await Promise.allSettled(pictures.map(loadPicture));
    if (this.shown !== key) return;
    results.forEach(({ status, value, reason }, i) => {
      const { pane } = this.panes[i];
      if (status === "fulfilled") pane.show(value, this.data.pictures[i].faces ?? []);
      else pane.showFailure(reason?.message ?? "", () => this.open(key));
    });
    const stats = results.filter((r) => r.status === "fulfilled").map((r) => r.value.stats);
    this.stats = stats;
    if (!stats.length) return;
    this.controls.build(stats);
    const { selected } = store.view;
    if (selected !== null && !stats.some((s) => s.has(selected))) this.select(null);
    if (arrived) this.goTo(this.panes[0].pane.boxOf(store.view.face));
    this.changed({});
  }

  buildFaces() {
    this.panes.forEach(({ pane }, i) => pane.picture && pane.buildFaces(this.data.pictures[i].faces ?? []));
  }

  /** The view as it is drawn: without a panel of switches nothing says what is hidden elsewhere. */
  get drawn() {
    return this.data.controls ? store.view : { ...store.view, hidden: this.data.defaults.hidden };
  }

  isHidden(id) {
    return this.drawn.hidden.includes(id);
  }

  /** Redraws what a change of the shared view touches. */
  changed(change) {
    this.controls.update();
    this.toolbar.update();
    for (const { pane } of this.panes) {
      pane.applySplit(store.split);
      if (!("split" in change)) pane.requestDraw(false);
      if (pane.size) pane.placeFaces();
    }
  }

  viewMoved() {
    this.toolbar.update();
    this.root.classList.toggle("zoomed", this.zoom.factor > 1);
    this.marker.show();
    for (const { pane } of this.panes) pane.requestDraw(true);
  }

  /** @param {Pane} pane @param {[number, number]|null} at fractions of the stage */
  point(pane, at) {
    const id = at ? pane.classAt(...at) : null;
    if (id !== null) pane.showTip(id, ...at);
    else if (at && pane.labelAt(...at) === NOT_LOOKED_AT) pane.showUnseen(...at);
    else pane.hideTip();
    // A hidden region is named but stays dark.
    this.setHover(id === null || this.isHidden(id) ? null : id);
    this.controls.mark(id);
  }

  setHover(id) {
    if (id === this.hover) return;
    this.hover = id;
    for (const { pane } of this.panes) pane.requestDraw(false);
  }

  /** Moves from region to region with the keyboard, in the order of the panel. */
  step(pane, direction) {
    const rows = [...this.controls.rows.keys()];
    const visible = rows.filter((id) => !this.isHidden(id));
    const present = visible.length ? visible : rows;
    if (!present.length) return;
    const from = present.indexOf(this.hover ?? store.view.selected);
    const first = direction > 0 ? 0 : present.length - 1;
    const id = from < 0 ? present[first] : present.at((from + direction) % present.length);
    this.setHover(id);
    this.controls.mark(id);
    const point = pane.picture?.stats.get(id)?.point;
    if (point) pane.showTip(id, ...this.zoom.toStage(...point));
    else pane.hideTip();
    this.announce(id);
  }

  /** Selects a region, or clears where it is selected already or hidden. */
  toggleSelect(id) {
    if (id === null) return;
    if (this.isHidden(id)) return this.select(null);
    this.select(store.view.selected === id ? null : id);
  }

  select(id) {
    if (id !== store.view.selected) {
      store.set({ selected: id });
      this.announce(id);
    }
    this.send();
  }

  /** Chooses a face and goes to it, or goes back where it is chosen already. */
  selectFace(id, pane) {
    const face = store.view.face === id ? null : id;
    store.set({ face });
    this.goTo(pane.boxOf(face));
    this.send();
  }

  /** @param {number[]|null} box in 0..1; null goes back to the view before */
  goTo(box) {
    const { x, y, factor } = this.zoom;
    if (box) {
      this.cameFrom ??= { x, y, factor };
      this.zoom.show(...box);
    } else if (this.cameFrom) {
      this.zoom.move(this.cameFrom.x, this.cameFrom.y, this.cameFrom.factor);
      this.cameFrom = null;
    }
  }

  /** Tells the server what a tool of the toolbar is to do; the view rides along. */
  use(name, what = {}) {
    clearTimeout(this.timer);
    store.sent = store.choice();
    this.setTriggerValue(name, { ...what, view: { ...store.view, seq: store.sequence } });
  }

  /** @param {number[]} box in photo pixels */
  markFace(box) {
    if (this.tell("box", { box })) {
      this.panes[0].pane.addFrame(box);
      this.changed({});
    }
  }

  dismissFace(id) {
    const frame = this.panes[0].pane.faces.querySelector(`[data-id="${id}"]`);
    if (this.tell("dismiss", { face: id })) frame?.classList.add("leaving");
  }

  /**
   * One message about the faces. They are numbered anew by what follows, so none stays chosen, and a
   * second change has to wait for the new numbers.
   */
  tell(name, what) {
    if (performance.now() < this.busyUntil) return false;
    this.busyUntil = performance.now() + ANSWER_MS;
    this.cameFrom = null;
    store.set({ face: null });
    store.sent = store.choice();
    clearTimeout(this.timer);
    this.setTriggerValue(name, { ...what, view: { ...store.view, seq: store.sequence } });
    return true;
  }

  clear() {
    this.goTo(null);
    store.set({ selected: null, face: null });
    this.live.textContent = "Selection cleared";
    this.send();
  }

  announce(id) {
    const info = this.classes.find((c) => c.id === id);
    const { ofPhoto } = this.data;
    const [stats] = this.stats ?? [];
    const there = stats?.has(id);
    const part = there ? `, ${percent(shareOf(stats, [id], ofPhoto))} ${ofWhat(stats, ofPhoto)}` : "";
    const chosen = id !== null && store.view.selected === id ? ", selected" : "";
    this.live.textContent = info ? info.title + part + chosen : "Selection cleared";
  }

  describe() {
    const { selected } = store.view;
    this.live.textContent =
      "Arrow keys go from region to region, Enter selects, question mark lists all keys.";
    if (selected !== null) this.setHover(selected);
  }

  /** Tells the server the selection, once it has settled; the rest of the view rides along. */
  send() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (store.choice() === store.sent) return;
      store.sent = store.choice();
      this.setStateValue("view", { ...store.view, seq: store.sequence });
    }, SEND_AFTER_MS);
  }

  destroy() {
    clearTimeout(this.timer);
    this.toolbar.destroy();
    store.listeners.delete(this.listener);
    for (const { pane, abort } of this.panes) {
      abort.abort();
      pane.destroy();
    }
    this.root.remove();
  }
}
