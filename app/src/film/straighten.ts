import { looksNegative, thumbnail } from '../contract/polarity';
import { type Corners, type Film, inverted, LONGEST_SIDE, type Point } from './film';

export function whole({ width, height }: { width: number; height: number }): Corners {
  return [
    { x: 0, y: 0 },
    { x: width - 1, y: 0 },
    { x: width - 1, y: height - 1 },
    { x: 0, y: height - 1 },
  ];
}

/** Share of a film at each of its edges that is not looked at when black is told from white: its rim, or light beside it. */
const RIM = 0.05;

/** A photographed film, straightened and bone white: a photo of a negative is turned, by what lies well inside the film. */
export function filmOf(photo: Film, corners: Corners): Film {
  const film = straighten(photo, corners);
  const { width, height, pixels } = film;
  const [aside, above] = [Math.round(RIM * width), Math.round(RIM * height)];
  const [across, down] = [width - 2 * aside, height - 2 * above];
  const inner = new Uint8Array(across * down);
  for (let y = 0; y < down; y++) {
    const from = (y + above) * width + aside;
    inner.set(pixels.subarray(from, from + across), y * across);
  }
  return looksNegative(thumbnail(inner, across, down)) ? inverted(film) : film;
}

/** The part of the film between four corners, its perspective corrected. */
export function straighten(film: Film, corners: Corners): Film {
  const [a, b, c, d] = corners;
  const across = (length(a, b) + length(d, c)) / 2;
  const down = (length(a, d) + length(b, c)) / 2;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(across, down));
  const width = Math.max(1, Math.round(across * scale));
  const height = Math.max(1, Math.round(down * scale));
  const to = homography(corners, width, height);
  const pixels = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const w = to[6] * (x + 0.5) + to[7] * (y + 0.5) + 1;
      const u = (to[0] * (x + 0.5) + to[1] * (y + 0.5) + to[2]) / w - 0.5;
      const v = (to[3] * (x + 0.5) + to[4] * (y + 0.5) + to[5]) / w - 0.5;
      pixels[y * width + x] = sample(film, u, v);
    }
  }
  return { ...film, width, height, pixels, corners: null };
}

/** Whether the four points make a convex quadrilateral of some size, so that a film can lie in it. */
export function sensible(corners: Corners): boolean {
  const turns = corners.map((p, i) => {
    const q = corners[(i + 1) % 4];
    const r = corners[(i + 2) % 4];
    return (q.x - p.x) * (r.y - q.y) - (q.y - p.y) * (r.x - q.x);
  });
  return turns.every((turn) => turn > 0) && quadrilateral(corners) > 64 * 64;
}

const length = (p: Point, q: Point): number => Math.hypot(p.x - q.x, p.y - q.y);

function sample({ pixels, width, height }: Film, u: number, v: number): number {
  const x = Math.min(width - 1, Math.max(0, u));
  const y = Math.min(height - 1, Math.max(0, v));
  const left = Math.floor(x);
  const top = Math.floor(y);
  const right = Math.min(width - 1, left + 1);
  const bottom = Math.min(height - 1, top + 1);
  const above = pixels[top * width + left] * (1 - (x - left)) + pixels[top * width + right] * (x - left);
  const below = pixels[bottom * width + left] * (1 - (x - left)) + pixels[bottom * width + right] * (x - left);
  return Math.round(above * (1 - (y - top)) + below * (y - top));
}

/** The eight numbers of the projective map from a `width` x `height` picture to the quadrilateral. */
export function homography(corners: Corners, width: number, height: number): number[] {
  const from = [
    [0, 0],
    [width, 0],
    [width, height],
    [0, height],
  ];
  const rows: number[][] = [];
  from.forEach(([x, y], i) => {
    const u = corners[i].x + 0.5;
    const v = corners[i].y + 0.5;
    rows.push([x, y, 1, 0, 0, 0, -u * x, -u * y, u]);
    rows.push([0, 0, 0, x, y, 1, -v * x, -v * y, v]);
  });
  for (let pivot = 0; pivot < 8; pivot++) {
    let largest = pivot;
    for (let row = pivot + 1; row < 8; row++) {
      if (Math.abs(rows[row][pivot]) > Math.abs(rows[largest][pivot])) largest = row;
    }
    [rows[pivot], rows[largest]] = [rows[largest], rows[pivot]];
    for (let row = 0; row < 8; row++) {
      if (row === pivot) continue;
      const factor = rows[row][pivot] / rows[pivot][pivot];
      for (let column = pivot; column < 9; column++) rows[row][column] -= factor * rows[pivot][column];
    }
  }
  return rows.map((row, index) => row[8] / row[index]);
}

function quadrilateral(corners: readonly Point[]): number {
  let twice = 0;
  corners.forEach((p, i) => {
    const q = corners[(i + 1) % corners.length];
    twice += p.x * q.y - q.x * p.y;
  });
  return Math.abs(twice) / 2;
}
