// Pictures are fetched once by URL (their name is a hash of their content), decoded, and kept for the
// page's life, so that a rerun or a page change costs no bytes. Kept in memory only: `no-store`
// keeps faces out of the browser's disk cache.

import { unpack } from "./plane.js";
import { measureClasses } from "./labels.js";

const KEPT_PIXELS = 40e6; // decoded photos take four bytes a pixel
const RETRY_MS = [250, 900];
const SMALL = 1600;

/**
 * @typedef {{bitmap: ImageBitmap, small: ImageBitmap, labels: import("./plane.js").ByteMap,
 *   confidence: import("./plane.js").ByteMap|null,
 *   stats: import("./labels.js").PictureStats}} Picture
 */

/** @type {Map<string, Promise<Picture>>} oldest first */
const pictures = new Map();
const sizes = new Map();

/** Media URLs are relative to Streamlit's root, which a proxy or `baseUrlPath` may have moved. */
function resolve(url) {
  if (!url.startsWith("/")) return url;
  const script = document.querySelector('script[src*="/static/js/"]');
  const root = script ? script.src.split("/static/js/")[0] : window.location.origin;
  return root + url;
}

async function fetchBytes(url) {
  for (let attempt = 0; ; attempt++) {
    try {
      const response = await fetch(resolve(url), { cache: "no-store" });
      if (response.ok) return new Uint8Array(await response.arrayBuffer());
      throw new Error(`The server answered ${response.status}.`);
    } catch (error) {
      // While one session's run ends, Streamlit may drop another session's files for a moment.
      if (attempt >= RETRY_MS.length) throw error;
      await new Promise((done) => setTimeout(done, RETRY_MS[attempt]));
    }
  }
}

async function decodePhoto(bytes) {
  try {
    const bitmap = await createImageBitmap(new Blob([bytes]));
    const ratio = Math.min(1, SMALL / Math.max(bitmap.width, bitmap.height));
    if (ratio === 1) return { bitmap, small: bitmap };
    const size = { resizeWidth: Math.round(bitmap.width * ratio), resizeQuality: "high" };
    return { bitmap, small: await createImageBitmap(bitmap, size) };
  } catch {
    throw new Error("The browser cannot read this photo. Try saving it as JPEG or PNG.");
  }
}

/**
 * @param {{photo: string, labels: string, confidence: string|null}} urls
 * @returns {Promise<Picture>}
 */
async function load(urls) {
  const [photo, labels, confidence] = await Promise.all([
    fetchBytes(urls.photo).then(decodePhoto),
    fetchBytes(urls.labels).then(unpack),
    urls.confidence ? fetchBytes(urls.confidence).then(unpack) : null,
  ]);
  return { ...photo, labels, confidence, stats: measureClasses(labels) };
}

/**
 * @param {{photo: string, labels: string, confidence: string|null, width: number,
 *   height: number}} urls
 * @returns {Promise<Picture>}
 */
export function loadPicture(urls) {
  const key = pictureKey(urls);
  const known = pictures.get(key);
  pictures.delete(key);
  const picture = known ?? load(urls);
  pictures.set(key, picture);
  picture.catch(() => pictures.delete(key));
  sizes.set(key, urls.width * urls.height);
  let total = 0;
  for (const kept of [...pictures.keys()].reverse()) {
    total += sizes.get(kept);
    if (total > KEPT_PIXELS && kept !== key) pictures.delete(kept);
  }
  return picture;
}

export function pictureKey(urls) {
  return [urls.photo, urls.labels, urls.confidence].join(" ");
}
