// Streamlit calls the default export on mount and again whenever the data or the theme changes, with
// the same parent; only what it returned last is called, at the end.

import { Viewer } from "./viewer.js";

/** @type {WeakMap<Node, Viewer>} */
const viewers = new WeakMap();

export default function mount(component) {
  const parent = component.parentElement;
  let viewer = viewers.get(parent);
  if (!viewer) {
    viewer = new Viewer(parent);
    viewers.set(parent, viewer);
  }
  viewer.update(component);
  return () => {
    viewers.delete(parent);
    viewer.destroy();
  };
}
