/** Pillow's antialiased bilinear resizing of 8-bit greys, in its own fixed-point numbers: bit for bit. */

const BITS = 22;

interface Size {
  width: number;
  height: number;
}

/** uint8 `height * width` -> the same film in another size. */
export function resized(pixels: Uint8Array, { width, height }: Size, to: Size): Uint8Array<ArrayBuffer> {
  const across = weights(width, to.width);
  const down = weights(height, to.height);
  const rows = new Uint8Array(height * to.width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < to.width; x++) {
      rows[y * to.width + x] = summed(pixels, y * width + across[x].first, 1, across[x].parts);
    }
  }
  const out = new Uint8Array(to.height * to.width);
  for (let y = 0; y < to.height; y++) {
    for (let x = 0; x < to.width; x++) {
      out[y * to.width + x] = summed(rows, down[y].first * to.width + x, to.width, down[y].parts);
    }
  }
  return out;
}

interface Weights {
  first: number;
  parts: Int32Array;
}

/** The weights of the triangle filter for each place of the result (Pillow, Resample.c: precompute_coeffs). */
function weights(from: number, to: number): Weights[] {
  const scale = from / to;
  const support = Math.max(scale, 1);
  return Array.from({ length: to }, (_, place) => {
    const center = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const last = Math.min(from, Math.trunc(center + support + 0.5));
    const raw = Array.from({ length: last - first }, (_, index) =>
      Math.max(0, 1 - Math.abs((index + first - center + 0.5) / support)),
    );
    const sum = raw.reduce((total, value) => total + value, 0);
    return { first, parts: Int32Array.from(raw, (value) => Math.trunc(0.5 + (value / sum) * 2 ** BITS)) };
  });
}

function summed(values: Uint8Array, at: number, step: number, parts: Int32Array): number {
  let sum = 1 << (BITS - 1);
  for (let index = 0; index < parts.length; index++) sum += values[at + index * step] * parts[index];
  return Math.min(255, Math.max(0, sum >> BITS));
}
