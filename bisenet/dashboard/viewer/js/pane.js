// One picture on its stage: two canvases (photo below, overlay above), face frames, the before/after
// divider, the label at the pointer, and the loading and failed states.

import { placeBadges } from "./badges.js";
import { h, icon } from "./dom.js";
import { NOT_LOOKED_AT, ofWhat, percent, shareOf, valueAt } from "./labels.js";
import { compose, createFrame, resample } from "./raster.js";
import { paintsFor } from "./paints.js";

const MAX_OVERLAY = 2.4e6; // canvas pixels; more would not be seen and would cost milliseconds
const MAX_MEASURES = 600;
const REFINE_AFTER_MS = 160;

let measures = 0;

/** Leaves a performance entry that the browser test reads. */
function measure(name, start, detail) {
  if (++measures > MAX_MEASURES) {
    performance.clearMeasures("viewer-redraw");
    performance.clearMeasures("viewer-resample");
    measures = 0;
  }
  performance.measure(name, { start, end: performance.now(), detail });
}

export class Pane {
  /** @param {import("./viewer.js").Viewer} viewer @param {number} index 0, or 1 in a comparison */
  constructor(viewer, index) {
    this.viewer = viewer;
    this.index = index;
    this.picture = null;
    this.frame = null;
    this.movePending = false;
    this.drawPending = 0;
    this.photo = h("canvas.photo", { "aria-hidden": "true" });
    this.overlay = h("canvas.overlay", { "aria-hidden": "true" });
    this.faces = h("div.faces");
    this.divider = this.createDivider();
    this.tip = h("div.tip", { hidden: "", "aria-hidden": "true" });
    this.status = h("div.status", { role: "status" });
    this.caption = h("div.caption");
    this.stage = h(
      "div.stage",
      { tabindex: "0", role: "application", "aria-roledescription": "picture with regions" },
      this.photo,
      this.overlay,
      this.faces,
      this.divider,
      this.tip,
      this.status,
    );
    this.element = h("div.pane", {}, this.caption, this.stage);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.stage);
  }

  createDivider() {
    const bar = h("div.divider", {
      role: "slider",
      tabindex: "0",
      "aria-label": "Divider between the photo and its regions",
      "aria-valuemin": "0",
      "aria-valuemax": "100",
      hidden: "",
    });
    bar.append(h("span.before", { text: "Photo" }), h("span.grip"), h("span.after", { text: "Regions" }));
    return bar;
  }

  /** Takes the space before anything has loaded, so that the page does not jump. */
  reserve({ width, height, title }) {
    this.stage.style.setProperty("--ratio", (width / height).toFixed(5));
    this.caption.textContent = title ?? "";
    this.stage.setAttribute("aria-label", `${title || "Photo"}, with its face regions`);
    this.size = { width, height };
  }

  showLoading() {
    this.picture = null;
    this.stage.classList.add("loading");
    this.stage.classList.remove("failed");
    this.status.replaceChildren(h("span.spinner"), h("span", { text: "Loading the picture…" }));
  }

  showFailure(message, retry) {
    this.stage.classList.remove("loading");
    this.stage.classList.add("failed");
    this.status.replaceChildren(
      h("strong", { text: "The picture could not be shown." }),
      h("span", { text: message }),
      h("button.retry", { text: "Try again", on: { click: retry } }),
    );
  }

  show(picture, faces) {
    this.picture = picture;
    this.drawn = false;
    this.stage.classList.remove("loading", "failed");
    this.status.replaceChildren();
    this.buildFaces(faces);
    this.resize();
  }

  buildFaces(faces) {
    this.faces.replaceChildren();
    // Only the first picture's faces can be changed; the second is there to compare with.
    const dismissing = Boolean(this.viewer.data.dismissing) && this.index === 0;
    if (faces.length < 2 && !dismissing) return;
    this.faces.classList.toggle("alone", faces.length < 2);
    for (const { id, box } of faces) {
      const label = `Face ${id} of ${faces.length}`;
      const choose = () => this.viewer.selectFace(id, this);
      const badge = h("button.badge", { text: id, "aria-label": label, title: label, on: { click: choose } });
      const frame = this.addFrame(box, h("div.chip", {}, badge, dismissing ? this.dismissal(id) : null));
      frame.dataset.id = id;
    }
  }

  dismissal(id) {
    const label = `Dismiss face ${id}`;
    const dismiss = () => this.viewer.dismissFace(id);
    return h("button.dismiss", { "aria-label": label, title: label, on: { click: dismiss } }, icon("cross"));
  }

  /** @param {number[]} box in photo pixels @param {Node} [chip] none while the server looks at it */
  addFrame(box, chip) {
    const frame = h(chip ? "div.face" : "div.face.waiting", { "data-box": box.join(" ") }, chip);
    this.faces.append(frame);
    return frame;
  }

  /** @returns {number[]|null} a face's box in 0..1 */
  boxOf(id) {
    const frame = [...this.faces.children].find((one) => one.dataset.id === String(id));
    return frame ? this.fractions(frame) : null;
  }

  /** @returns {number[]} a frame's box in 0..1 */
  fractions(frame) {
    const { width, height } = this.size;
    return frame.dataset.box.split(" ").map((value, i) => Number(value) / (i % 2 ? height : width));
  }

  placeFaces() {
    const { zoom, store } = this.viewer;
    for (const frame of this.faces.children) {
      zoom.place(frame, ...this.fractions(frame));
      const chosen = store.view.face === Number(frame.dataset.id);
      frame.classList.toggle("chosen", chosen);
      frame.querySelector(".badge")?.setAttribute("aria-pressed", String(chosen));
    }
    this.placeNumbers();
  }

  placeNumbers() {
    const { width, height } = this.stage.getBoundingClientRect();
    const frames = [...this.faces.children].filter((frame) => frame.dataset.id);
    if (!width || !height || !frames.length) return;
    const editing = this.viewer.toolbar.task === "edit";
    const faces = frames.map((frame) => {
      const [x0, y0, x1, y1] = this.fractions(frame);
      const [x, y] = this.viewer.zoom.toStage(x0, y0);
      const { factor } = this.viewer.zoom;
      const box = { x: x * width, y: y * height, w: (x1 - x0) * factor * width, h: (y1 - y0) * factor * height };
      const extra = editing && frame.querySelector(".dismiss") !== null;
      return { box, digits: frame.dataset.id.length, extra };
    });
    placeBadges(faces, { width, height }).forEach(({ x, y, w, h: high }, i) => {
      const chip = frames[i].querySelector(".chip");
      const { box } = faces[i];
      const style = { left: x - box.x, top: y - box.y, width: w, height: high, fontSize: 0.62 * high };
      for (const [name, value] of Object.entries(style)) chip.style[name] = `${value}px`;
      frames[i].classList.toggle("small", box.h < 60);
    });
  }

  resize() {
    const { width, height } = this.stage.getBoundingClientRect();
    if (!this.picture || !width || !height) return;
    const scale = Math.min(3, window.devicePixelRatio || 1);
    const size = [Math.round(width * scale), Math.round(height * scale)];
    if (this.photo.width !== size[0] || this.photo.height !== size[1]) {
      [this.photo.width, this.photo.height] = size;
    }
    const shrink = Math.min(1, Math.sqrt(MAX_OVERLAY / (size[0] * size[1])));
    const [w, h2] = size.map((value) => Math.max(1, Math.round(value * shrink)));
    this.scale = scale * shrink;
    if (!this.frame || this.frame.width !== w || this.frame.height !== h2) {
      [this.overlay.width, this.overlay.height] = [w, h2];
      this.frame = createFrame(w, h2, this.scale);
      this.image = new ImageData(w, h2);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    this.requestDraw(true);
  }

  /** @param {boolean} moved the view moved, so that the map has to be sampled again */
  requestDraw(moved) {
    this.movePending ||= moved;
    this.drawPending ||= requestAnimationFrame(() => {
      this.drawPending = 0;
      if (!this.picture || !this.frame) return;
      if (this.movePending) this.drawView();
      this.movePending = false;
      this.drawOverlay();
    });
  }

  drawView() {
    const start = performance.now();
    const { labels } = this.picture;
    const { x, y, size } = this.viewer.zoom.window();
    // Good scaling of a large photo costs several frames, so it waits until the view rests.
    this.drawPhoto(this.drawn ? "low" : "high");
    clearTimeout(this.refine);
    if (this.drawn) this.refine = setTimeout(() => this.drawPhoto("high"), REFINE_AFTER_MS);
    this.drawn = true;
    const rect = {
      x: x * labels.width,
      y: y * labels.height,
      w: size * labels.width,
      h: size * labels.height,
    };
    resample(labels, rect, this.frame);
    this.placeFaces();
    measure("viewer-resample", start, { pixels: this.pixels.length });
  }

  drawPhoto(quality) {
    if (!this.picture) return;
    const { bitmap, small } = this.picture;
    const { x, y, size } = this.viewer.zoom.window();
    const context = this.photo.getContext("2d");
    // The small copy is enough until it would have to be enlarged.
    const source = this.photo.width / size <= small.width ? small : bitmap;
    context.imageSmoothingQuality = quality;
    context.drawImage(
      source,
      x * source.width,
      y * source.height,
      size * source.width,
      size * source.height,
      0,
      0,
      this.photo.width,
      this.photo.height,
    );
  }

  drawOverlay() {
    const start = performance.now();
    const { store, hover, classes } = this.viewer;
    const focus = store.view.selected !== null && this.picture.stats.has(store.view.selected);
    const paints = paintsFor(classes, this.viewer.drawn, hover, focus, this.picture.stats.unseen > 0);
    compose(this.frame, paints, this.scale, this.pixels);
    this.overlay.getContext("2d").putImageData(this.image, 0, 0);
    measure("viewer-redraw", start, { pixels: this.pixels.length, map: this.picture.labels.data.length });
  }

  applySplit(split) {
    this.stage.classList.toggle("splitting", split !== null);
    this.divider.hidden = split === null;
    if (split === null) return;
    this.stage.style.setProperty("--split", `${split * 100}%`);
    this.divider.setAttribute("aria-valuenow", Math.round(split * 100));
    this.divider.setAttribute("aria-valuetext", `${Math.round(split * 100)} percent photo`);
  }

  /** @returns {[number, number]} the pointer as fractions of the stage */
  fraction(event) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height];
  }

  /** @returns {number|null} the label under a point of the stage, also where nobody looked */
  labelAt(fx, fy) {
    if (!this.picture || fx < 0 || fy < 0 || fx >= 1 || fy >= 1) return null;
    return valueAt(this.picture.labels, ...this.viewer.zoom.toImage(fx, fy));
  }

  /** @returns {number|null} the class under a point of the stage */
  classAt(fx, fy) {
    const id = this.labelAt(fx, fy);
    return id === NOT_LOOKED_AT ? null : id;
  }

  /** Names the region at a point of the stage. */
  showTip(id, fx, fy) {
    const info = this.viewer.classes.find((c) => c.id === id);
    const stats = this.picture?.stats.get(id);
    if (!info || !stats) return this.hideTip();
    const { confidence } = this.picture;
    const here = confidence && valueAt(confidence, ...this.viewer.zoom.toImage(fx, fy)) / 255;
    const { ofPhoto } = this.viewer.data;
    const share = shareOf(this.picture.stats, [id], ofPhoto);
    const facts = [`${percent(share)} ${ofWhat(this.picture.stats, ofPhoto)}`];
    if (confidence) facts.push(`${Math.round(here * 100)}\u202f% confidence`);
    if (this.viewer.isHidden(id)) facts.push("hidden");
    const swatch = h("i.dot");
    swatch.style.background = info.color;
    this.placeTip(swatch, info.title, facts, fx, fy);
  }

  /** Says at a point of the stage that nobody looked there. */
  showUnseen(fx, fy) {
    const facts = ["too far from the faces", `${percent(this.picture.stats.unseen)} of the photo`];
    this.placeTip(h("i.dot.unseen"), "Not looked at", facts, fx, fy);
  }

  placeTip(swatch, title, facts, fx, fy) {
    this.tip.replaceChildren(swatch, h("b", { text: title }), h("span", { text: facts.join(" · ") }));
    this.tip.hidden = false;
    const { width, height } = this.stage.getBoundingClientRect();
    const { offsetWidth, offsetHeight } = this.tip;
    const x = Math.min(Math.max(0, fx), 1) * width;
    const y = Math.min(Math.max(0, fy), 1) * height;
    const left = x + 14 + offsetWidth > width - 6 ? x - 14 - offsetWidth : x + 14;
    const top = y - 14 - offsetHeight < 6 ? y + 18 : y - 14 - offsetHeight;
    this.tip.style.transform = `translate(${Math.max(6, left)}px, ${Math.max(6, top)}px)`;
  }

  hideTip() {
    this.tip.hidden = true;
  }

  destroy() {
    this.observer.disconnect();
    cancelAnimationFrame(this.drawPending);
    clearTimeout(this.refine);
    this.element.remove();
  }
}
