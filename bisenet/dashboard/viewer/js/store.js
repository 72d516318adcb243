// The view that all viewers of a tab share: it lives in this module (so it survives reruns and page
// changes), in the URL's query (so it can be shared) and, without the selection, in sessionStorage.

const PARAMS = ["hide", "show", "opacity", "mode", "select", "face"];
export const MODES = ["fill", "outline", "both"];
const STORAGE_KEY = "bisenet.viewer";

/**
 * @typedef {{id: number, name: string, title: string, color: string, group: string,
 *   ink: string}} ClassInfo
 * @typedef {{hidden: number[], opacity: number, mode: string, selected: number|null,
 *   face: number|null}} View
 */

/**
 * The view a query string asks for: only the keys that it names, unknown names ignored.
 * @param {string} search @param {ClassInfo[]} classes @returns {Partial<View>}
 */
export function parseQuery(search, classes) {
  const params = new URLSearchParams(search);
  const byName = new Map(classes.map((c) => [c.name, c.id]));
  const view = {};
  for (const key of ["hide", "show"]) {
    const names = (params.get(key) ?? "").split(",").map((name) => name.trim());
    const named = new Set(names.filter((name) => byName.has(name)).map((name) => byName.get(name)));
    if (!named.size && !names.includes("none")) continue;
    view.hidden = classes.map((c) => c.id).filter((id) => named.has(id) === (key === "hide"));
  }
  const number = (key, low, high) => {
    const text = params.get(key) ?? "";
    const value = /^\d{1,4}$/.test(text) ? Number(text) : NaN;
    return value >= low && value <= high ? value : undefined;
  };
  const [opacity, mode, face] = [number("opacity", 0, 100), params.get("mode"), number("face", 1, 9999)];
  if (opacity !== undefined) view.opacity = opacity;
  if (MODES.includes(mode)) view.mode = mode;
  if (byName.has(params.get("select"))) view.selected = byName.get(params.get("select"));
  if (face !== undefined) view.face = face;
  return view;
}

/**
 * The query string with this view in it. Other parameters keep their place and their spelling.
 * @param {string} search @param {View} view @param {ClassInfo[]} classes @param {View} defaults
 * @param {boolean} touched writes `hide` even at its default, so that the server can tell "back to
 *   the default" from "a page that has not drawn the viewer yet"
 * @returns {string} with its "?", or ""
 */
export function formatQuery(search, view, classes, defaults, touched) {
  const others = search
    .replace(/^\?/, "")
    .split("&")
    .filter((part) => part && !PARAMS.includes(decodeKey(part.split("=")[0])));
  const names = new Map(classes.map((c) => [c.id, c.name]));
  const own = [];
  if (touched || String(view.hidden) !== String(defaults.hidden)) {
    const shown = classes.map((c) => c.id).filter((id) => !view.hidden.includes(id));
    const [key, ids] = view.hidden.length > shown.length ? ["show", shown] : ["hide", view.hidden];
    own.push(`${key}=${ids.map((id) => names.get(id)).join(",") || "none"}`);
  }
  if (view.opacity !== defaults.opacity) own.push(`opacity=${view.opacity}`);
  if (view.mode !== defaults.mode) own.push(`mode=${view.mode}`);
  if (names.has(view.selected)) own.push(`select=${names.get(view.selected)}`);
  if (view.face !== null) own.push(`face=${view.face}`);
  const query = [...others, ...own.map(spelled)].join("&");
  return query ? `?${query}` : "";
}

/** A parameter as the browser spells it in an address: another spelling would never equal what is read. */
function spelled(parameter) {
  const [key, ...value] = parameter.split("=");
  const text = encodeURIComponent(value.join("=")).replaceAll("%2C", ",").replaceAll("'", "%27");
  return `${key}=${text}`;
}

/**
 * What of a change a view can hold: a widget may send the label of an option that is gone.
 * @param {Partial<View>} change @param {ClassInfo[]} classes @returns {Partial<View>}
 */
export function valid(change, classes) {
  const known = new Set(classes.map((c) => c.id));
  const whole = (value, low, high) => Number.isInteger(value) && value >= low && value <= high;
  const fits = {
    hidden: (ids) => Array.isArray(ids) && ids.every((id) => known.has(id)),
    opacity: (value) => whole(value, 0, 100),
    mode: (value) => MODES.includes(value),
    selected: (id) => id === null || known.has(id),
    face: (id) => id === null || whole(id, 1, 9999),
  };
  return Object.fromEntries(Object.entries(change).filter(([key, value]) => fits[key]?.(value)));
}

function decodeKey(text) {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

/** Holds the view, tells its listeners, and keeps the URL in step. */
export class ViewStore {
  constructor() {
    /** @type {View|null} */
    this.view = null;
    this.split = null;
    this.sequence = 0;
    this.touched = false;
    this.appliedPush = null;
    this.sent = null; // the choice that the server knows
    this.listeners = new Set();
    this.writing = false;
  }

  /** Takes the first view from the URL, else from this tab's last one, else the defaults. */
  configure(classes, defaults) {
    this.classes = classes;
    this.defaults = defaults;
    const asked = parseQuery(window.location.search, classes);
    if (!this.view) {
      const stored = Object.keys(asked).length ? {} : this.readStorage();
      this.view = { ...defaults, ...stored, ...asked };
      this.sent = this.choice();
      this.watchNavigation();
    } else {
      // A page change drops the query; what it still names was put there on purpose by a link.
      this.view = { ...this.view, ...asked };
    }
    this.save();
  }

  /** @param {Partial<View>} change */
  set(change) {
    change = valid(change, this.classes);
    this.view = { ...this.view, ...change };
    this.touched = true;
    this.sequence = Math.max(Date.now(), this.sequence + 1);
    this.save();
    for (const listener of [...this.listeners]) listener(change);
  }

  /** A change that the server asks for; each is applied once, however often it is sent again. */
  applyPush(push) {
    if (!push || push.seq === this.appliedPush) return;
    this.appliedPush = push.seq;
    this.set(push.change);
    this.sequence = Math.max(this.sequence, push.seq);
    this.sent = this.choice();
  }

  /** The part of the view that the server is told about at once. */
  choice() {
    return `${this.view.selected} ${this.view.face}`;
  }

  setSplit(split) {
    this.split = split;
    for (const listener of [...this.listeners]) listener({ split });
  }

  isHidden(id) {
    return this.view.hidden.includes(id);
  }

  save() {
    this.touched ||= String(this.view.hidden) !== String(this.defaults.hidden);
    const { pathname, search, hash } = window.location;
    const query = formatQuery(search, this.view, this.classes, this.defaults, this.touched);
    if (query !== search) {
      this.writing = true;
      window.history.replaceState(window.history.state, "", pathname + query + hash);
      this.writing = false;
    }
    try {
      const kept = { ...this.view, selected: null, face: null };
      const text = formatQuery("", kept, this.classes, this.defaults, this.touched);
      window.sessionStorage.setItem(STORAGE_KEY, text);
    } catch {
      // Storage can be switched off; the module and the URL still hold the view.
    }
  }

  readStorage() {
    try {
      return parseQuery(window.sessionStorage.getItem(STORAGE_KEY) ?? "", this.classes);
    } catch {
      return {};
    }
  }

  /** Streamlit replaces the whole query when Python sets one parameter; put ours back. */
  watchNavigation() {
    window.navigation?.addEventListener?.("currententrychange", () => {
      // Our own writing is no news. An address that never reads as it was written would be written
      // without end.
      if (this.listeners.size && !this.writing) queueMicrotask(() => this.save());
    });
  }
}

export const store = new ViewStore();
