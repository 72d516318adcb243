// Label maps and confidence maps arrive as PNG and are decoded here rather than by a canvas: a canvas
// may colour-manage or, with fingerprinting protection, add noise, and one off in a class id is
// another region.

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const MAX_PIXELS = 64e6;

/**
 * @typedef {{width: number, height: number, data: Uint8Array}} ByteMap one byte a pixel, row by row
 */

/**
 * @param {Uint8Array} bytes zlib stream
 * @returns {Promise<Uint8Array>}
 */
async function inflate(bytes) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("This browser is too old to unpack the label map (DecompressionStream).");
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Undoes the PNG row filters in place and returns the rows without their filter bytes. */
function unfilter(raw, rowBytes, height) {
  const out = new Uint8Array(rowBytes * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (rowBytes + 1)];
    const from = y * (rowBytes + 1) + 1;
    const to = y * rowBytes;
    const up = to - rowBytes;
    if (filter === 0 || (filter === 2 && y === 0)) {
      out.set(raw.subarray(from, from + rowBytes), to);
    } else if (filter === 1) {
      out[to] = raw[from];
      for (let x = 1; x < rowBytes; x++) out[to + x] = raw[from + x] + out[to + x - 1];
    } else if (filter === 2) {
      for (let x = 0; x < rowBytes; x++) out[to + x] = raw[from + x] + out[up + x];
    } else if (filter === 3) {
      for (let x = 0; x < rowBytes; x++) {
        const left = x ? out[to + x - 1] : 0;
        const above = y ? out[up + x] : 0;
        out[to + x] = raw[from + x] + ((left + above) >> 1);
      }
    } else if (filter === 4) {
      for (let x = 0; x < rowBytes; x++) {
        const a = x ? out[to + x - 1] : 0;
        const b = y ? out[up + x] : 0;
        const c = x && y ? out[up + x - 1] : 0;
        const pa = Math.abs(b - c);
        const pb = Math.abs(a - c);
        const pc = Math.abs(a + b - 2 * c);
        out[to + x] = raw[from + x] + (pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
      }
    } else {
      throw new Error("The label map is damaged (unknown PNG filter).");
    }
  }
  return out;
}

/** Spreads 1, 2 or 4 bit samples to one byte each. */
function unpackBits(rows, width, height, depth, rowBytes) {
  const out = new Uint8Array(width * height);
  const perByte = 8 / depth;
  const mask = (1 << depth) - 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const byte = rows[y * rowBytes + ((x / perByte) | 0)];
      out[y * width + x] = (byte >> (8 - depth * ((x % perByte) + 1))) & mask;
    }
  }
  return out;
}

/**
 * Decodes a greyscale or palette PNG to its stored values (palette indices stay indices).
 * @param {Uint8Array} bytes
 * @returns {Promise<ByteMap>}
 */
export async function decodePng(bytes) {
  if (bytes.length < 33 || SIGNATURE.some((value, i) => bytes[i] !== value)) {
    throw new Error("The label map is not a PNG.");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const width = view.getUint32(16);
  const height = view.getUint32(20);
  const [depth, colour, , , interlace] = bytes.subarray(24, 29);
  if (!((colour === 0 || colour === 3) && depth <= 8) || interlace !== 0) {
    throw new Error("The label map must be an 8-bit greyscale or palette PNG.");
  }
  if (!width || !height || width * height > MAX_PIXELS) {
    throw new Error("The label map has an impossible size.");
  }
  const parts = [];
  let at = 8;
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    if (view.getUint32(at + 4) === 0x49444154) parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  const rowBytes = Math.ceil((width * depth) / 8);
  const raw = await inflate(new Uint8Array(await new Blob(parts).arrayBuffer()));
  if (raw.length < (rowBytes + 1) * height) throw new Error("The label map ends too early.");
  const rows = unfilter(raw, rowBytes, height);
  return { width, height, data: depth === 8 ? rows : unpackBits(rows, width, height, depth, rowBytes) };
}
