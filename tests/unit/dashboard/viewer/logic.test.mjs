// The viewer's pure logic, run by Node: `node --test` on this file, or through test_viewer_logic.py.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { placeBadges } from "../../../../bisenet/dashboard/viewer/js/badges.js";
import { measureClasses, ofWhat, percent, shareOf } from "../../../../bisenet/dashboard/viewer/js/labels.js";
import { paintsFor } from "../../../../bisenet/dashboard/viewer/js/paints.js";
import { unpack } from "../../../../bisenet/dashboard/viewer/js/plane.js";
import { compose, createFrame, resample } from "../../../../bisenet/dashboard/viewer/js/raster.js";
import { formatQuery, parseQuery, valid, ViewStore } from "../../../../bisenet/dashboard/viewer/js/store.js";
import { Zoom } from "../../../../bisenet/dashboard/viewer/js/view.js";

const CLASSES = ["background", "skin", "nose", "hair"].map((name, id) => ({
  id,
  name,
  title: name,
  color: ["#000000", "#ff0000", "#00ff00", "#0000ff"][id],
  group: "face",
}));
const DEFAULTS = { hidden: [0], opacity: 60, mode: "fill", selected: null, face: null };

/** A map of class 0 with a disc of class 1. */
function disc(size, radius) {
  const data = new Uint8Array(size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      if (Math.hypot(x + 0.5 - size / 2, y + 0.5 - size / 2) <= radius) data[y * size + x] = 1;
    }
  }
  return { width: size, height: size, data };
}

function draw(map, size, view, rect = { x: 0, y: 0, w: map.width, h: map.height }) {
  const frame = createFrame(size, size, 1);
  resample(map, rect, frame);
  const pixels = new Uint32Array(size * size);
  compose(frame, paintsFor(CLASSES, { ...DEFAULTS, ...view }, null, false), 1, pixels);
  return { frame, pixels, alpha: (x, y) => pixels[y * size + x] >>> 24 };
}

test("what was not looked at is dimmed and hatched while regions are drawn, and is no region", () => {
  const map = { width: 2, height: 2, data: Uint8Array.from([1, 2, 19, 19]) };
  const stats = measureClasses(map);
  assert.deepEqual([...stats.keys()], [1, 2]);
  assert.equal(stats.unseen, 0.5);
  assert.equal(paintsFor(CLASSES, DEFAULTS, null, false)[19].fill, 0.5);
  assert.equal(paintsFor(CLASSES, { ...DEFAULTS, opacity: 0 }, null, false)[19].fill, 0);
  const size = 40;
  const wide = { width: size, height: size, data: new Uint8Array(size * size).fill(19) };
  wide.data.fill(1, 0, 20 * size);
  const frame = createFrame(size, size, 1);
  resample(wide, { x: 0, y: 0, w: size, h: size }, frame);
  const drawn = (view, unseen) => {
    const pixels = new Uint32Array(size * size);
    compose(frame, paintsFor(CLASSES, { ...DEFAULTS, ...view }, null, false, unseen), 1, pixels);
    return pixels;
  };
  const kinds = (pixels, from, to) => new Set(pixels.subarray(from * size, to * size)).size;
  const hatched = drawn({}, true);
  assert.equal(kinds(hatched, 26, 40), 2); // the veil and the lines over it
  assert.equal(kinds(hatched, 0, 14), 1); // the region above has none
  assert.equal(kinds(drawn({}, false), 26, 40), 1);
  assert.ok(drawn({ opacity: 0 }, true).every((pixel) => pixel >>> 24 === 0));
});

test("shares are of what was looked at, or of the photo", () => {
  const map = { width: 4, height: 1, data: Uint8Array.from([1, 2, 19, 19]) };
  const stats = measureClasses(map);
  assert.equal(shareOf(stats, [1], false), 0.5);
  assert.equal(shareOf(stats, [1, 2, 3], true), 0.5);
  assert.equal(ofWhat(stats, false), "of what was looked at");
  assert.equal(ofWhat(stats, true), "of the photo");
  const whole = measureClasses({ width: 2, height: 1, data: Uint8Array.from([1, 2]) });
  assert.equal(shareOf(whole, [1], false), shareOf(whole, [1], true));
  assert.equal(ofWhat(whole, false), "of the photo");
});

test("at its own size a map is drawn as it is", () => {
  const map = disc(40, 12);
  const { frame } = draw(map, 40, {});
  assert.deepEqual(frame.first, map.data);
});

test("fill has the asked opacity inside and nothing where hidden", () => {
  const { alpha } = draw(disc(64, 20), 64, { opacity: 60, hidden: [0] });
  assert.equal(alpha(32, 32), 153);
  assert.equal(alpha(2, 2), 0);
});

test("a boundary is one soft pixel wide, shrunk or enlarged", () => {
  for (const [from, to] of [[400, 100], [50, 200]]) {
    const { pixels } = draw(disc(from, from / 3), to, { opacity: 100 });
    const row = pixels.slice((to / 2) * to, (to / 2 + 1) * to).map((p) => p >>> 24);
    const soft = [...row].filter((a) => a > 0 && a < 255).length;
    assert.ok(soft <= 4, `${soft} half-covered pixels in a row of two boundaries`);
  }
});

test("enlarging moves no boundary by more than half a label pixel", () => {
  const map = disc(32, 10);
  const scale = 16;
  const { frame } = draw(map, 32 * scale, {});
  const even = (x, y) => {
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        if (map.data[(y + dy) * 32 + x + dx] !== map.data[y * 32 + x]) return false;
      }
    }
    return true;
  };
  let changed = 0;
  for (let y = 1; y < 31; y++) {
    for (let x = 1; x < 31; x++) {
      const centre = frame.first[(y * scale + scale / 2) * 32 * scale + x * scale + scale / 2];
      if (centre !== map.data[y * 32 + x]) {
        assert.ok(!even(x, y));
        changed++;
      }
    }
  }
  assert.equal(changed, 0, "the middle of a label pixel keeps its class");
});

test("outline draws the edge and leaves the inside clear", () => {
  const { alpha } = draw(disc(100, 40), 100, { mode: "outline", opacity: 100 });
  assert.equal(alpha(50, 50), 0);
  assert.ok(alpha(50, 10) > 200);
});

test("a zoomed view draws the part it shows", () => {
  const { frame } = draw(disc(100, 30), 50, {}, { x: 45, y: 45, w: 10, h: 10 });
  assert.ok(frame.first.every((c) => c === 1));
});

test("selection fades the others only where it occurs", () => {
  const view = { ...DEFAULTS, hidden: [], selected: 2 };
  const calm = paintsFor(CLASSES, view, null, false);
  const focus = paintsFor(CLASSES, view, null, true);
  assert.ok(focus[1].fill < calm[1].fill);
  assert.equal(focus[2].fill, calm[2].fill);
  assert.equal(focus[2].ring, 1);
});

test("shares add up, and a ring's point lies on the ring", () => {
  const map = disc(200, 80);
  const inner = disc(200, 60);
  inner.data.forEach((c, i) => c && (map.data[i] = 2));
  const stats = measureClasses(map);
  const total = [...stats.values()].reduce((sum, s) => sum + s.share, 0);
  assert.ok(Math.abs(total - 1) < 1e-9);
  const [u, v] = stats.get(1).point;
  assert.equal(map.data[Math.floor(v * 200) * 200 + Math.floor(u * 200)], 1);
});

test("percent is short", () => {
  assert.equal(percent(0), "–");
  assert.equal(percent(0.0004), "<0.1\u202f%");
  assert.equal(percent(0.0312), "3.1\u202f%");
  assert.equal(percent(0.2449), "24\u202f%");
});

const TABLE = JSON.parse(readFileSync(new URL("queries.json", import.meta.url)));
const NAMED = TABLE.classes.map((name, id) => ({ id, name }));

/** A view of the table, in which classes have names: `shown` is the complement of `hidden`. */
function viewOf({ hidden, shown, selected, ...rest }) {
  const view = { ...DEFAULTS, ...rest };
  const ids = (names) => names.map((name) => TABLE.classes.indexOf(name));
  if (hidden) view.hidden = ids(hidden);
  if (shown) view.hidden = NAMED.map(({ id }) => id).filter((id) => !ids(shown).includes(id));
  if (selected) view.selected = ids([selected])[0];
  return view;
}

for (const { query, view } of TABLE.read) {
  test(`the query "${query}" is read`, () => {
    assert.deepEqual({ ...DEFAULTS, ...parseQuery(query, NAMED) }, viewOf(view));
  });
}

for (const { query, view, touched = false } of TABLE.write) {
  test(`the query "${query}" is written, and other parameters stay as they are`, () => {
    const write = (search) => formatQuery(search, viewOf(view), NAMED, DEFAULTS, touched);
    assert.equal(write("?hide=skin&face=7"), query && `?${query}`);
    assert.equal(write("?a=b%20c&hide=skin&x"), `?${["a=b%20c&x", query].filter(Boolean).join("&")}`);
    assert.deepEqual({ ...DEFAULTS, ...parseQuery(query, NAMED) }, viewOf(view));
  });
}

/** An address bar that spells what it is given in its own way, and tells of every writing. */
function addressBar(spell) {
  const bar = { search: "?other=1", pathname: "/", hash: "", writings: 0, tell: () => {} };
  globalThis.window = {
    location: bar,
    history: {
      replaceState(state, title, url) {
        assert.ok(++bar.writings < 50, "the address is written without end");
        bar.search = spell(new URL(url, "http://a.test").search);
        bar.tell();
      },
    },
    navigation: { addEventListener: (name, listener) => (bar.tell = listener) },
    sessionStorage: { getItem: () => null, setItem: () => {} },
  };
  return bar;
}

for (const [name, spell] of [
  ["as it is given", (text) => text],
  ["in its own way", (text) => text.replaceAll("=", "=x")],
]) {
  test(`the address is written once a change, where it is spelt ${name}`, async () => {
    const bar = addressBar(spell);
    const store = new ViewStore();
    store.listeners.add(() => {});
    store.configure(CLASSES, DEFAULTS);
    store.set({ face: 2 });
    store.set({ face: "All 5 faces", selected: "Hair", opacity: NaN, mode: "a b", hidden: ["x"] });
    store.applyPush({ seq: 1, change: { face: "Face 3 of 'all' & more" } });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(store.view.face, 2, "a label is no face");
    assert.equal(store.view.selected, null);
    assert.ok(bar.writings <= 8, `${bar.writings} writings`);
  });
}

test("a value that an address spells otherwise is spelt as it does", () => {
  const view = { ...DEFAULTS, mode: "a b'c,d&e" };
  const query = formatQuery("", view, CLASSES, DEFAULTS, false);
  assert.equal(query, new URL(query, "http://a.test").search);
  assert.deepEqual(valid({ face: 1.5, selected: 99, opacity: 30 }, CLASSES), { opacity: 30 });
});

test("zooming keeps the point under the pointer and never leaves the picture", () => {
  const zoom = new Zoom();
  zoom.zoomAt(0.25, 0.75, 4);
  const [u, v] = zoom.toImage(0.25, 0.75);
  assert.ok(Math.abs(u - 0.25) < 1e-9 && Math.abs(v - 0.75) < 1e-9);
  zoom.move(-3, 9);
  const { x, y, size } = zoom.window();
  assert.ok(x >= 0 && y + size <= 1 + 1e-9);
  zoom.zoomAt(0.5, 0.5, 0.1);
  assert.equal(zoom.factor, 1);
});

test("what is not a label map is refused in words", async () => {
  await assert.rejects(unpack(new Uint8Array(100)), /damaged/);
  await assert.rejects(unpack(new Uint8Array(3)), /damaged/);
});

const covers = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
const STAGE = { width: 900, height: 600 };

/** Faces of one size in rows, as in a group photo. */
function crowd(columns, rows, size, gap) {
  return Array.from({ length: columns * rows }, (_, i) => ({
    box: { x: 6 + (i % columns) * (size + gap), y: 6 + Math.floor(i / columns) * (size * 1.3 + gap), w: size, h: size * 1.3 },
    digits: String(i + 1).length,
    extra: false,
  }));
}

for (const [what, faces] of [
  ["a portrait", crowd(1, 1, 300, 0)],
  ["a group", crowd(4, 2, 120, 40)],
  ["a crowd", crowd(10, 6, 40, 30)],
  ["a crowd of tiny faces", crowd(25, 14, 14, 20)],
]) {
  test(`the numbers of ${what} cover no face and no other number`, () => {
    const numbers = placeBadges(faces, STAGE);
    numbers.forEach((one, i) => {
      assert.ok(one.x >= 0 && one.y >= 0 && one.x + one.w <= STAGE.width && one.y + one.h <= STAGE.height);
      for (const { box } of faces) assert.ok(!covers(one, box), `number ${i + 1} lies on a face`);
      for (const other of numbers.slice(i + 1)) assert.ok(!covers(one, other), `number ${i + 1} lies on another`);
    });
  });
}

test("where there is no room a number covers a neighbour's rim sooner than its own face", () => {
  const faces = crowd(12, 6, 60, 2);
  placeBadges(faces, STAGE).forEach((one, i) => assert.ok(!covers(one, faces[i].box)));
});

test("numbers shrink with the faces, down to what can be read, and follow a face out of sight", () => {
  const height = (size) => placeBadges(crowd(1, 1, size, 0), STAGE)[0].h;
  assert.ok(height(300) > height(60) && height(60) > height(20));
  assert.ok(height(4) >= 12);
  const [gone] = placeBadges([{ box: { x: -500, y: 100, w: 80, h: 100 }, digits: 1, extra: false }], STAGE);
  assert.ok(gone.x + gone.w < 0);
});

test("a face that fills the stage still has its number on it", () => {
  const [one] = placeBadges([{ box: { x: -50, y: -50, w: 1000, h: 700 }, digits: 1, extra: true }], STAGE);
  assert.ok(one.x >= 0 && one.y >= 0 && one.w > one.h);
});

test("the switch of frames and numbers is in the address, and only while it is off", () => {
  const off = { ...DEFAULTS, badges: false };
  assert.equal(formatQuery("", off, CLASSES, DEFAULTS, false), "?badges=off");
  assert.equal(formatQuery("?badges=off", { ...off, badges: true }, CLASSES, DEFAULTS, false), "");
  assert.equal(parseQuery("?badges=off", CLASSES).badges, false);
  assert.deepEqual(parseQuery("?badges=maybe", CLASSES), {});
  assert.deepEqual(valid({ badges: "no" }, CLASSES), {});
});
