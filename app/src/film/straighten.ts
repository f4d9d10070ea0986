import { type Corners, type Film, LONGEST_SIDE, type Point } from './film';

/** Side, in pixels, of the small copy on which corners are sought. */
const SMALL = 256;
/** Grey levels at which a film may part from what lies around it. */
const LEVELS = [12, 40, 70, 100, 130, 160, 190, 215, 232];
/** The share of the photo that a film may fill. */
const SMALLEST_SHARE = 0.12;
const LARGEST_SHARE = 0.96;
/** The share of the longer side that a photo shows around a film at least. */
const SMALLEST_MARGIN = 0.02;
/** Grey levels by which an even ground may vary (standard deviation), and does at least: a light box is darker at its rim. */
const MOST_UNEVEN = 40;
const LEAST_NOISE = 12;
/** Pixels of the small copy at an edge that are neither film nor ground. */
const RIM = 4;

/**
 * The corners of a film photographed on a light box or a table: of all regions lighter or darker than some level, the
 * one that best fills a quadrilateral. The whole picture where none does.
 */
export function findCorners(film: Film): Corners {
  const small = smallCopy(film);
  const best = bestQuadrilateral(small);
  return best ? enlarged(best, small, film) : whole(film);
}

/**
 * The corners of a film that surely was photographed, or null: a tilted or framed quadrilateral, wholly inside the
 * picture, on a ground that is even all around it. The dark and light regions of a film itself lie on no such ground.
 */
export function photographed(film: Film): Corners | null {
  const small = smallCopy(film);
  const best = bestQuadrilateral(small);
  return best && onEvenGround(small, best) ? enlarged(best, small, film) : null;
}

interface Small {
  values: Float32Array;
  width: number;
  height: number;
  /** Pixels of the film for one of this. */
  step: number;
}

function smallCopy(film: Film): Small {
  const step = Math.max(1, Math.max(film.width, film.height) / SMALL);
  const width = Math.floor(film.width / step);
  const height = Math.floor(film.height / step);
  return { values: blurred(reduced(film, width, height, step), width, height), width, height, step };
}

const enlarged = (corners: Corners, { step }: Small, film: Film): Corners =>
  corners.map(({ x, y }) => ({
    x: Math.min(film.width - 1, (x + 0.5) * step),
    y: Math.min(film.height - 1, (y + 0.5) * step),
  })) as Corners;

function bestQuadrilateral({ values, width, height }: Small): Corners | null {
  let best: { corners: Corners; score: number } | null = null;
  for (const level of [otsu(values), ...LEVELS]) {
    for (const lighter of [true, false]) {
      const inside = Uint8Array.from(values, (value) => Number(value > level === lighter));
      for (const region of regions(inside, width, height)) {
        const corners = extremes(region, width);
        const area = quadrilateral(corners);
        const share = area / (width * height);
        if (share < SMALLEST_SHARE || share > LARGEST_SHARE) continue;
        // What reaches the frame is the table, or a film that was cut off.
        const touches = corners.filter((p) => p.x <= 1 || p.y <= 1 || p.x >= width - 2 || p.y >= height - 2).length;
        const filled = filledArea(region, width) / area;
        const score = Math.min(filled, 1 / filled) - touches * 0.15 + share * 0.2;
        if (score > 0.7 && (!best || score > best.score)) best = { corners, score };
      }
    }
  }
  return best?.corners ?? null;
}

/** Whether all that lies around the quadrilateral is of one grey, apart from what lies just inside its edges. */
function onEvenGround(small: Small, corners: Corners): boolean {
  const { values, width, height } = small;
  const margin = Math.min(...corners.flatMap(({ x, y }) => [x, y, width - 1 - x, height - 1 - y]));
  if (margin < SMALLEST_MARGIN * Math.max(width, height)) return false;
  const outside: number[] = [];
  const rim: number[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const depth = depthIn(corners, x, y);
      if (depth < -RIM) outside.push(values[y * width + x]);
      else if (depth > RIM && depth < 3 * RIM) rim.push(values[y * width + x]);
    }
  }
  const ground = mean(outside);
  const spread = Math.sqrt(mean(outside.map((value) => (value - ground) ** 2)));
  return spread < MOST_UNEVEN && Math.abs(mean(rim) - ground) > 2 * Math.max(spread, LEAST_NOISE);
}

/** How deep a point lies inside a convex quadrilateral, in pixels; negative outside. */
const depthIn = (corners: Corners, x: number, y: number): number =>
  Math.min(
    ...corners.map((p, i) => {
      const q = corners[(i + 1) % 4];
      return ((q.x - p.x) * (y - p.y) - (q.y - p.y) * (x - p.x)) / length(p, q);
    }),
  );

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

export function whole({ width, height }: { width: number; height: number }): Corners {
  return [
    { x: 0, y: 0 },
    { x: width - 1, y: 0 },
    { x: width - 1, y: height - 1 },
    { x: 0, y: height - 1 },
  ];
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

function reduced(
  { pixels, width: across, height: down }: Film,
  width: number,
  height: number,
  step: number,
): Float32Array {
  const out = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      let count = 0;
      const bottom = Math.min(down, Math.ceil((y + 1) * step));
      const right = Math.min(across, Math.ceil((x + 1) * step));
      for (let v = Math.floor(y * step); v < bottom; v++) {
        for (let u = Math.floor(x * step); u < right; u++) {
          sum += pixels[v * across + u];
          count++;
        }
      }
      out[y * width + x] = sum / count;
    }
  }
  return out;
}

function blurred(values: Float32Array, width: number, height: number): Float32Array {
  const out = new Float32Array(values.length);
  const radius = 2;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      let count = 0;
      for (let v = Math.max(0, y - radius); v <= Math.min(height - 1, y + radius); v++) {
        for (let u = Math.max(0, x - radius); u <= Math.min(width - 1, x + radius); u++) {
          sum += values[v * width + u];
          count++;
        }
      }
      out[y * width + x] = sum / count;
    }
  }
  return out;
}

/** The grey level that best parts dark from light (Otsu 1979). */
function otsu(values: Float32Array): number {
  const counts = new Array<number>(256).fill(0);
  let total = 0;
  for (const value of values) {
    counts[Math.round(value)]++;
    total += Math.round(value);
  }
  let below = 0;
  let sumBelow = 0;
  let best = 0;
  let threshold = 127;
  for (let level = 0; level < 255; level++) {
    below += counts[level];
    sumBelow += level * counts[level];
    const above = values.length - below;
    if (below === 0 || above === 0) continue;
    const between = below * above * (sumBelow / below - (total - sumBelow) / above) ** 2;
    if (between > best) {
      best = between;
      threshold = level;
    }
  }
  return threshold;
}

/** Connected regions of ones: the places of their pixels. */
function* regions(inside: Uint8Array, width: number, height: number): Generator<Int32Array> {
  const seen = new Uint8Array(inside.length);
  const queue = new Int32Array(inside.length);
  for (let start = 0; start < inside.length; start++) {
    if (!inside[start] || seen[start]) continue;
    let end = 0;
    queue[end++] = start;
    seen[start] = 1;
    for (let at = 0; at < end; at++) {
      const index = queue[at];
      const x = index % width;
      const y = (index - x) / width;
      if (x > 0) end = visit(index - 1, end);
      if (x < width - 1) end = visit(index + 1, end);
      if (y > 0) end = visit(index - width, end);
      if (y < height - 1) end = visit(index + width, end);
    }
    if (end > width + height) yield queue.slice(0, end);
  }

  function visit(index: number, end: number): number {
    if (!inside[index] || seen[index]) return end;
    seen[index] = 1;
    queue[end] = index;
    return end + 1;
  }
}

/** Area between the first and last pixel of each row: lungs are holes in a film, not its background. */
function filledArea(members: Int32Array, width: number): number {
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  for (const index of members) {
    const y = Math.floor(index / width);
    const x = index % width;
    if (x < (first.get(y) ?? Infinity)) first.set(y, x);
    if (x > (last.get(y) ?? -1)) last.set(y, x);
  }
  let area = 0;
  for (const [y, x] of first) area += last.get(y)! - x + 1;
  return area;
}

function extremes(members: Int32Array, width: number): Corners {
  const ends = [Infinity, -Infinity, -Infinity, Infinity];
  const corners = whole({ width: 1, height: 1 });
  for (const index of members) {
    const x = index % width;
    const y = (index - x) / width;
    const sum = x + y;
    const difference = x - y;
    if (sum < ends[0]) [ends[0], corners[0]] = [sum, { x, y }];
    if (difference > ends[1]) [ends[1], corners[1]] = [difference, { x, y }];
    if (sum > ends[2]) [ends[2], corners[2]] = [sum, { x, y }];
    if (difference < ends[3]) [ends[3], corners[3]] = [difference, { x, y }];
  }
  return corners;
}
