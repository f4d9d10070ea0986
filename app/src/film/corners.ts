/**
 * Where a film lies in a photo. A film on a light box, or held against the sky, is darker than what lies just beside it, all
 * along its edge; the box itself is lighter than the wall. So edges are told apart by the side on which they are light, and
 * the film is the quadrilateral with the best supported edges that are light outside.
 */
import type { Corners, Film, Point } from './film';
import { whole } from './straighten';

/** Longer side, in pixels, of the small copy on which lines are sought. */
const SMALL = 288;
/** Grey levels for a pixel at an edge, and the most that one edge pixel counts. */
const LEAST_STEP = 5;
const MOST_STEP = 24;
/** Directions of lines, and pixels between two lines of one direction. */
const DIRECTIONS = 120;
const APART = 1.5;
/** Lines that are tried for each side of the film. */
const TRIED = 12;
/** The share of the photo that a film may fill. */
const SMALLEST_SHARE = 0.06;
const LARGEST_SHARE = 0.97;
/** Support that the four sides need together, and each by itself; a hand may hide a part of one. */
const LEAST_SUPPORT = 0.6;
const LEAST_SIDE = 0.3;
/** Share of the places along a side of a film that lie on one line, where the film surely was photographed. */
const STRAIGHT = 0.8;
/** How far the light just beside it may vary there, in shares of its middle level. */
const MOST_UNEVEN = 0.35;
/** What lies beside a film is at least so bright, in shares of the brightest of the photo. */
const GLOW = 0.5;

/** The corners of the film in a photo; the whole picture where none is found. */
export function findCorners(film: Film): Corners {
  return found(film)?.corners ?? whole(film);
}

/**
 * The corners of a film that surely was photographed, or null: all four sides are seen nearly whole, inside the picture. The
 * dark and light regions of a film itself have no such straight sides.
 */
export function photographed(film: Film): Corners | null {
  const best = found(film);
  return best && best.straight > STRAIGHT && best.inside && best.uneven < MOST_UNEVEN ? best.corners : null;
}

interface Found {
  corners: Corners;
  /** Of the places along each side, the share at which the edge lies on one line; that of the side where it does so least. */
  straight: number;
  /** How far the light just beside the film varies, in shares of its middle level: eight of ten places lie within this range. */
  uneven: number;
  /** Whether the photo shows something around the film. */
  inside: boolean;
}

function found(film: Film): Found | null {
  const small = smallCopy(film);
  const best = bestQuadrilateral(small, 1) ?? bestQuadrilateral(small, -1);
  if (!best) return null;
  let corners = best.corners.map(({ x, y }) => ({ x: (x + 0.5) * small.step - 0.5, y: (y + 0.5) * small.step - 0.5 }));
  let straight = 0;
  for (const reach of [0.016, 0.006]) ({ corners, straight } = refined(film, corners, reach, best.outward));
  const margin = 0.01 * Math.max(film.width, film.height);
  const inside = corners.every(
    ({ x, y }) => x > margin && y > margin && x < film.width - 1 - margin && y < film.height - 1 - margin,
  );
  const within = corners.map(({ x, y }) => ({
    x: Math.min(film.width - 1, Math.max(0, x)),
    y: Math.min(film.height - 1, Math.max(0, y)),
  })) as Corners;
  const beside = ring(small, best.corners);
  const uneven = (at(beside, 0.9) - at(beside, 0.1)) / at(beside, 0.5);
  return { corners: within, straight, uneven, inside };
}

interface Small {
  values: Float32Array;
  width: number;
  height: number;
  /** Pixels of the film for one of this. */
  step: number;
}

/** A line: all points with `x * nx + y * ny = at`; the normal points out of the film. */
interface Line {
  nx: number;
  ny: number;
  at: number;
}

/** Pixels at edges: where they are, their unit vector from dark to light, and how much they count. */
interface Edges extends Record<'x' | 'y' | 'gx' | 'gy' | 'weight', Float32Array> {
  count: number;
}

interface Quadrilateral {
  corners: Point[];
  score: number;
  outward: 1 | -1;
}

/** `outward`: 1 for a film that is darker than its surroundings, -1 for one that is lighter. */
function bestQuadrilateral(small: Small, outward: 1 | -1): Quadrilateral | null {
  const glow = outward === 1 ? GLOW * brightest(small.values) : 0;
  const [right, bottom, left, top] = linesBySide(small, outward).map((lines) =>
    lines.map((line) => supported(small, line, outward, glow)),
  );
  const crossings = (some: Side[], others: Side[]) =>
    some.map((one) => others.map((other) => crossing(one, other)).map((p) => (p && near(p, small) ? p : null)));
  const [topLeft, topRight] = [crossings(top, left), crossings(top, right)];
  const [bottomLeft, bottomRight] = [crossings(bottom, left), crossings(bottom, right)];
  const all = small.width * small.height;
  let best: Quadrilateral | null = null;
  for (let t = 0; t < top.length; t++) {
    for (let l = 0; l < left.length; l++) {
      const a = topLeft[t][l];
      if (!a) continue;
      for (let r = 0; r < right.length; r++) {
        const b = topRight[t][r];
        if (!b || b.x <= a.x) continue;
        const above = top[t].share(a, b);
        if (above < LEAST_SIDE) continue;
        for (let d = 0; d < bottom.length; d++) {
          const [c, e] = [bottomRight[d][r], bottomLeft[d][l]];
          if (!c || !e) continue;
          const supports = [above, right[r].share(b, c), bottom[d].share(c, e), left[l].share(e, a)];
          const weakest = Math.min(...supports);
          if (weakest < LEAST_SIDE) continue;
          const corners = [a, b, c, e];
          if (!convex(corners) || !filmlike(corners)) continue;
          const share = area(corners) / all;
          if (share < SMALLEST_SHARE || share > LARGEST_SHARE) continue;
          const support = weighted(supports, corners);
          const score = support + 0.5 * weakest + 0.25 * Math.sqrt(share);
          if (support < LEAST_SUPPORT || (best && score <= best.score)) continue;
          if (outward === 1 && parted(small, corners)) continue;
          best = { corners, score, outward };
        }
      }
    }
  }
  return best;
}

/** The mean of what the four sides have, by their lengths. */
function weighted(values: readonly number[], corners: readonly Point[]): number {
  let [sum, long] = [0, 0];
  for (let i = 0; i < 4; i++) {
    const length = distance(corners[i], corners[(i + 1) % 4]);
    sum += values[i] * length;
    long += length;
  }
  return sum / long;
}

/** The likeliest lines whose normal points right, down, left and up, by a Hough transform of signed edges. */
function linesBySide({ values, width, height }: Small, outward: 1 | -1): Line[][] {
  const reach = Math.ceil(Math.hypot(width, height) / 2 / APART) + 2;
  const across = 2 * reach + 1;
  const votes = new Float32Array(DIRECTIONS * across);
  const cos = Array.from({ length: DIRECTIONS }, (_, i) => Math.cos((2 * Math.PI * i) / DIRECTIONS));
  const sin = Array.from({ length: DIRECTIONS }, (_, i) => Math.sin((2 * Math.PI * i) / DIRECTIONS));
  const room = () => new Float32Array(width * height);
  const edges: Edges = { count: 0, x: room(), y: room(), gx: room(), gy: room(), weight: room() };
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const i = y * width + x;
      const [a, b, c] = [i - width, i, i + width];
      const gx =
        ((values[a + 1] - values[a - 1] + 2 * (values[b + 1] - values[b - 1]) + values[c + 1] - values[c - 1]) / 8) *
        outward;
      const gy =
        ((values[c - 1] - values[a - 1] + 2 * (values[c] - values[a]) + values[c + 1] - values[a + 1]) / 8) * outward;
      const step = Math.hypot(gx, gy);
      if (step < LEAST_STEP) continue;
      const weight = Math.min(step, MOST_STEP);
      const edge = edges.count++;
      edges.x[edge] = x;
      edges.y[edge] = y;
      edges.gx[edge] = gx / step;
      edges.gy[edge] = gy / step;
      edges.weight[edge] = weight;
      const direction = Math.round((Math.atan2(gy, gx) / (2 * Math.PI)) * DIRECTIONS) + DIRECTIONS;
      for (let turn = direction - 2; turn <= direction + 2; turn++) {
        const angle = turn % DIRECTIONS;
        const at = ((x - width / 2) * cos[angle] + (y - height / 2) * sin[angle]) / APART;
        votes[angle * across + Math.round(at) + reach] += weight;
      }
    }
  }
  const quarter = DIRECTIONS / 4;
  return [0, 1, 2, 3].map((side) => {
    const lines: Line[] = [];
    const taken: [angle: number, at: number][] = [];
    for (let tries = 0; tries < 4 * TRIED && lines.length < TRIED; tries++) {
      let most = 0;
      let where = [0, 0] as [number, number];
      for (let turn = -quarter / 2; turn <= quarter / 2; turn++) {
        const angle = (side * quarter + turn + DIRECTIONS) % DIRECTIONS;
        for (let at = 0; at < across; at++) {
          if (votes[angle * across + at] > most) {
            most = votes[angle * across + at];
            where = [angle, at];
          }
        }
      }
      if (most < 8 * MOST_STEP) break;
      taken.push(where);
      for (let turn = -2; turn <= 2; turn++) {
        const angle = (where[0] + turn + DIRECTIONS) % DIRECTIONS;
        for (let at = Math.max(0, where[1] - 2); at <= Math.min(across - 1, where[1] + 2); at++)
          votes[angle * across + at] = 0;
      }
      const [nx, ny] = [cos[where[0]], sin[where[0]]];
      const at = (where[1] - reach) * APART + (width / 2) * nx + (height / 2) * ny;
      const line = fitted(edges, { nx, ny, at });
      if (!lines.some((other) => alike(other, line, width, height))) lines.push(line);
    }
    return lines;
  });
}

/** The line through the edge pixels near it that point the same way. */
function fitted({ count, x, y, gx, gy, weight }: Edges, from: Line): Line {
  let line = from;
  for (const reach of [4, 2.5]) {
    const { nx, ny, at } = line;
    const spread = new Spread();
    for (let i = 0; i < count; i++) {
      if (Math.abs(x[i] * nx + y[i] * ny - at) < reach && gx[i] * nx + gy[i] * ny > 0.94)
        spread.add(x[i], y[i], weight[i]);
    }
    if (spread.count < 8) return line;
    line = spread.line(line);
  }
  return line;
}

/** Points along a line, as sums. */
class Spread {
  count = 0;
  private readonly sums = new Float64Array(6);

  add(x: number, y: number, weight = 1): void {
    const { sums } = this;
    this.count++;
    sums[0] += weight;
    sums[1] += weight * x;
    sums[2] += weight * y;
    sums[3] += weight * x * x;
    sums[4] += weight * x * y;
    sums[5] += weight * y * y;
  }

  /** The line from which the points lie least far, with its normal on the side of that of `like`. */
  line(like: Line): Line {
    const [all, x, y, xx, xy, yy] = this.sums;
    const [mx, my] = [x / all, y / all];
    const angle = 0.5 * Math.atan2(2 * (xy / all - mx * my), xx / all - mx * mx - (yy / all - my * my)) + Math.PI / 2;
    const turn = Math.cos(angle) * like.nx + Math.sin(angle) * like.ny < 0 ? -1 : 1;
    const [nx, ny] = [turn * Math.cos(angle), turn * Math.sin(angle)];
    return { nx, ny, at: mx * nx + my * ny };
  }
}

/** Whether two lines of one side are hardly apart anywhere in the picture. */
function alike(a: Line, b: Line, width: number, height: number): boolean {
  if (a.nx * b.nx + a.ny * b.ny < 0.9995) return false;
  return Math.abs(a.at - b.at - ((a.nx - b.nx) * width) / 2 - ((a.ny - b.ny) * height) / 2) < 1.5;
}

interface Side extends Line {
  /** The share of the way from one point of the line to another along which it is a film's edge. */
  share: (from: Point, to: Point) => number;
}

function supported({ values, width, height }: Small, line: Line, outward: 1 | -1, glow: number): Side {
  const [dx, dy] = [-line.ny, line.nx];
  const long = Math.ceil(Math.hypot(width, height));
  const foot = { x: line.nx * line.at, y: line.ny * line.at };
  const from = Math.floor((width / 2) * dx + (height / 2) * dy - long / 2);
  const sums = new Int32Array(long + 2);
  const value = (x: number, y: number) =>
    values[Math.min(height - 1, Math.max(0, Math.round(y))) * width + Math.min(width - 1, Math.max(0, Math.round(x)))];
  for (let i = 0; i <= long; i++) {
    const [x, y] = [foot.x + (from + i) * dx, foot.y + (from + i) * dy];
    let is = 0;
    for (let off = -1.5; off <= 1.5; off += 1.5) {
      const out = value(x + (off + 2) * line.nx, y + (off + 2) * line.ny);
      const inner = value(x + (off - 2) * line.nx, y + (off - 2) * line.ny);
      if ((out - inner) * outward > 2 * LEAST_STEP && out >= glow) is = 1;
    }
    sums[i + 1] = sums[i] + is;
  }
  const along = ({ x, y }: Point) => Math.min(long, Math.max(0, Math.round(x * dx + y * dy - from)));
  return {
    ...line,
    share: (a, b) => {
      const [start, end] = [along(a), along(b)];
      return end === start ? 0 : (sums[end] - sums[start]) / (end - start);
    },
  };
}

/** The grey level above which lies a twentieth of all pixels. */
function brightest(values: Float32Array): number {
  const counts = new Int32Array(256);
  for (const value of values) counts[Math.round(value)]++;
  let level = 255;
  for (let above = 0; level > 0; level--) {
    above += counts[level];
    if (above > values.length / 20) break;
  }
  return level;
}

/** Whether light shows from one side of the quadrilateral to the other: then two films lie in it, side by side. */
function parted(small: Small, corners: Point[]): boolean {
  const { values, width } = small;
  const beside = at(ring(small, corners), 0.5);
  const CELLS = 48;
  const inside = (u: number, v: number) => {
    const [a, b, c, d] = corners;
    const x = (a.x * (1 - u) + b.x * u) * (1 - v) + (d.x * (1 - u) + c.x * u) * v;
    const y = (a.y * (1 - u) + b.y * u) * (1 - v) + (d.y * (1 - u) + c.y * u) * v;
    return values[Math.round(y) * width + Math.round(x)] ?? 0;
  };
  for (const upright of [true, false]) {
    for (let i = 4; i < CELLS - 4; i++) {
      let light = 0;
      for (let j = 2; j < CELLS - 2; j++) {
        const [p, q] = [(i + 0.5) / CELLS, (j + 0.5) / CELLS];
        if ((upright ? inside(p, q) : inside(q, p)) > 0.88 * beside) light++;
      }
      if (light > 0.9 * (CELLS - 4)) return true;
    }
  }
  return false;
}

/** The grey levels just outside a quadrilateral, in order. */
function ring({ values, width, height }: Small, corners: Point[]): number[] {
  const middle = { x: mean(corners.map(({ x }) => x)), y: mean(corners.map(({ y }) => y)) };
  const levels: number[] = [];
  corners.forEach((from, i) => {
    const to = corners[(i + 1) % 4];
    for (let k = 0; k < 24; k++) {
      const share = (k + 0.5) / 24;
      const on = { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
      const away = distance(on, middle);
      const x = Math.round(on.x + ((on.x - middle.x) / away) * 4);
      const y = Math.round(on.y + ((on.y - middle.y) / away) * 4);
      if (x >= 0 && y >= 0 && x < width && y < height) levels.push(values[y * width + x]);
    }
  });
  return levels.sort((a, b) => a - b);
}

/** What lies at a share of the way from the smallest value to the largest. */
const at = (ordered: readonly number[], share: number): number => ordered[Math.floor(ordered.length * share)] ?? 255;

/** Positions along a side at which its edge is sought. */
const POSITIONS = 48;

/** The corners after each side was fitted to the steps near it in the film itself; `reach` in shares of the diagonal. */
function refined(film: Film, corners: Point[], reach: number, outward: 1 | -1): { corners: Point[]; straight: number } {
  let straight = 1;
  const diagonal = Math.max(distance(corners[0], corners[2]), distance(corners[1], corners[3]));
  const step = Math.max(1, diagonal / 1200);
  const half = Math.max(2, Math.round(0.004 * (diagonal / step)));
  const count = Math.max(half + 2, Math.round((reach * diagonal) / step));
  const lines = corners.map((from, i) => {
    const to = corners[(i + 1) % 4];
    const long = distance(from, to);
    const [dx, dy] = [(to.x - from.x) / long, (to.y - from.y) / long];
    const [nx, ny] = [dy, -dx];
    const points: Point[] = [];
    for (let k = 0; k < POSITIONS; k++) {
      const t = (long * (k + 0.5)) / POSITIONS;
      const profile = new Float32Array(2 * (count + half) + 1);
      for (let j = 0; j < profile.length; j++) {
        const off = (j - count - half) * step;
        for (const aside of [-step, 0, step]) {
          const x = from.x + (t + aside) * dx + off * nx;
          const y = from.y + (t + aside) * dy + off * ny;
          profile[j] += nearest(film, x, y) / 3;
        }
      }
      const steps = stepsOf(profile, half).map((value) => value * outward);
      const most = Math.max(...steps);
      if (most < 2 * LEAST_STEP) continue;
      // The film's own edge lies outside of what it shows: the outermost of the clear steps.
      let at = steps.length - 1;
      while (!(steps[at] > 0.5 * most && steps[at] >= (steps[at - 1] ?? 0))) at--;
      const off = (at - count) * step;
      points.push({ x: from.x + t * dx + off * nx, y: from.y + t * dy + off * ny });
    }
    const line = { nx, ny, at: from.x * nx + from.y * ny };
    const on = agreed(points, diagonal * 0.0025);
    straight = Math.min(straight, on.length / POSITIONS);
    if (on.length < POSITIONS / 4) return line;
    const spread = new Spread();
    for (const { x, y } of on) spread.add(x, y);
    return spread.line(line);
  });
  const moved = corners.map((corner, i) => crossing(lines[(i + 3) % 4], lines[i]) ?? corner);
  return {
    corners: moved.map((corner, i) => (distance(corner, corners[i]) < 3 * reach * diagonal ? corner : corners[i])),
    straight,
  };
}

/** Steps from the inside to the outside at each place of a profile: means of `half` values on either side. */
function stepsOf(profile: Float32Array, half: number): number[] {
  const sums = [0];
  for (const value of profile) sums.push(sums[sums.length - 1] + value);
  return Array.from({ length: profile.length - 2 * half }, (_, i) => {
    const at = i + half;
    return (sums[at + half + 1] - sums[at + 1] - (sums[at] - sums[at - half])) / half;
  });
}

/** The most points that lie on one line within `tolerance`. */
function agreed(points: Point[], tolerance: number): Point[] {
  let best: Point[] = [];
  for (let i = 0; i < points.length; i += 2) {
    for (let j = i + 8; j < points.length; j += 3) {
      const line = through(points[i], points[j]);
      const on = points.filter(({ x, y }) => Math.abs(x * line.nx + y * line.ny - line.at) < tolerance);
      if (on.length > best.length) best = on;
    }
  }
  return best;
}

function through(a: Point, b: Point): Line {
  const long = distance(a, b);
  const [nx, ny] = [(b.y - a.y) / long, -(b.x - a.x) / long];
  return { nx, ny, at: a.x * nx + a.y * ny };
}

function crossing(a: Line, b: Line): Point | null {
  const turn = a.nx * b.ny - a.ny * b.nx;
  if (Math.abs(turn) < 0.3) return null;
  return { x: (a.at * b.ny - b.at * a.ny) / turn, y: (b.at * a.nx - a.at * b.nx) / turn };
}

const near = ({ x, y }: Point, { width, height }: Small): boolean =>
  x > -0.03 * width && y > -0.03 * height && x < 1.03 * width && y < 1.03 * height;

const convex = (corners: Point[]): boolean =>
  corners.every((p, i) => {
    const [q, r] = [corners[(i + 1) % 4], corners[(i + 2) % 4]];
    return (q.x - p.x) * (r.y - q.y) - (q.y - p.y) * (r.x - q.x) > 0;
  });

/** Whether a rectangle, no longer than twice its width, looks like this from some side. */
function filmlike(corners: readonly Point[]): boolean {
  const [above, right, below, left] = corners.map((corner, i) => distance(corner, corners[(i + 1) % 4]));
  const [wide, tall] = [above + below, right + left];
  return (
    Math.min(above, below) > 0.55 * Math.max(above, below) &&
    Math.min(right, left) > 0.55 * Math.max(right, left) &&
    Math.min(wide, tall) > 0.45 * Math.max(wide, tall)
  );
}

const area = (corners: Point[]): number =>
  corners.reduce((sum, p, i) => {
    const q = corners[(i + 1) % 4];
    return sum + (p.x * q.y - q.x * p.y) / 2;
  }, 0);

const distance = (p: Point, q: Point): number => Math.hypot(p.x - q.x, p.y - q.y);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function nearest({ pixels, width, height }: Film, x: number, y: number): number {
  const column = Math.min(width - 1, Math.max(0, Math.round(x)));
  const row = Math.min(height - 1, Math.max(0, Math.round(y)));
  return pixels[row * width + column];
}

function smallCopy(film: Film): Small {
  const step = Math.max(1, Math.max(film.width, film.height) / SMALL);
  const width = Math.floor(film.width / step);
  const height = Math.floor(film.height / step);
  const values = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const [top, bottom] = [Math.floor(y * step), Math.min(film.height, Math.ceil((y + 1) * step))];
    for (let x = 0; x < width; x++) {
      const [left, right] = [Math.floor(x * step), Math.min(film.width, Math.ceil((x + 1) * step))];
      let sum = 0;
      for (let v = top; v < bottom; v++) for (let u = left; u < right; u++) sum += film.pixels[v * film.width + u];
      values[y * width + x] = sum / ((bottom - top) * (right - left));
    }
  }
  return { values, width, height, step };
}
