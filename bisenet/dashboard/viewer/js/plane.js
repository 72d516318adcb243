// Label maps and confidence maps arrive packed by picture.py's `pack` rather than as pictures: a canvas
// may colour-manage or, with fingerprinting protection, add noise, and one off in a class id is
// another region.

/**
 * @typedef {{width: number, height: number, data: Uint8Array}} ByteMap one byte a pixel, row by row
 */

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<ByteMap>}
 */
export async function unpack(bytes) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("This browser is too old to unpack the label map (DecompressionStream).");
  }
  const damaged = new Error("The label map is damaged.");
  if (bytes.length < 8) throw damaged;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [width, height] = [view.getUint32(0, true), view.getUint32(4, true)];
  const stream = new Blob([bytes.subarray(8)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const data = await new Response(stream).arrayBuffer().then(
    (buffer) => new Uint8Array(buffer),
    () => {
      throw damaged;
    },
  );
  if (!data.length || data.length !== width * height) throw damaged;
  for (let i = width; i < data.length; i++) data[i] += data[i - width];
  return { width, height, data };
}
