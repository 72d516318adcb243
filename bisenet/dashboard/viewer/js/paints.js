// How strongly each class is drawn, from the view and from what is pointed at.

import { NOT_LOOKED_AT } from "./labels.js";

const FADED = 0.4; // what is left of the others while one region is selected
// Over what was not looked at, while regions are drawn: a dark veil with light lines, so that it
// shows on dark photos and on bright ones.
const VEIL = { rgb: [24, 26, 32], fill: 0.5 };
const HATCH = { rgb: [226, 229, 236], fill: 0.4 };

/** @param {string} color "#rrggbb" @returns {[number, number, number]} */
function rgb(color) {
  const value = parseInt(color.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

/**
 * @param {import("./store.js").ClassInfo[]} classes
 * @param {import("./store.js").View} view
 * @param {number|null} hover class that is pointed at
 * @param {boolean} focus whether the selected class occurs in this picture
 * @param {boolean} unseen whether a part of this picture was not looked at
 * @returns {import("./raster.js").Paint[]} by class id
 */
export function paintsFor(classes, view, hover, focus, unseen = false) {
  const strength = view.opacity / 100;
  const paints = [];
  for (const { id, color } of classes) {
    const shown = view.hidden.includes(id) ? 0 : 1;
    const chosen = view.selected === id;
    const lit = hover === id;
    const rest = focus && !chosen && !lit ? FADED : 1;
    let fill = view.mode === "outline" ? 0 : strength * shown * rest;
    let line = view.mode === "fill" || !strength ? 0 : Math.min(1, 0.35 + strength) * shown * rest;
    if (lit) fill = Math.min(0.92, Math.max(fill, strength * shown * 0.5) + 0.18);
    if (lit || chosen) line = 0;
    paints[id] = { rgb: rgb(color), fill, line, ring: chosen ? 1 : lit ? 0.9 : 0 };
  }
  paints[NOT_LOOKED_AT] = {
    rgb: VEIL.rgb,
    fill: strength ? VEIL.fill : 0,
    line: 0,
    ring: 0,
    hatch: unseen && strength ? HATCH : null,
  };
  return paints;
}
