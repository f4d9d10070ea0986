import type { Outline } from '../worklist/reading';

/** Outlines of fewer points are specks. */
const SHORTEST = 8;

/**
 * Closed lines around all that lies above `level`, by marching squares: the map is taken to be 0 beyond its edges.
 * Points in shares of the map's sides, pixel centres aligned, to a thousandth.
 */
export function outlines(map: ArrayLike<number>, [rows, columns]: [number, number], level: number): Outline[] {
  const at = (x: number, y: number) => (x < 0 || y < 0 || x >= columns || y >= rows ? 0 : map[y * columns + x]);
  const onward = new Map<string, [from: [number, number], to: [number, number]]>();
  const between = (ax: number, ay: number, bx: number, by: number): [number, number] => {
    const share = (level - at(ax, ay)) / (at(bx, by) - at(ax, ay));
    return [ax + share * (bx - ax), ay + share * (by - ay)];
  };
  for (let y = -1; y < rows; y++) {
    for (let x = -1; x < columns; x++) {
      const corners = [at(x, y), at(x + 1, y), at(x + 1, y + 1), at(x, y + 1)].map((value) => value > level);
      const edges = [
        () => between(x, y, x + 1, y),
        () => between(x + 1, y, x + 1, y + 1),
        () => between(x, y + 1, x + 1, y + 1),
        () => between(x, y, x, y + 1),
      ];
      // Each line enters through an edge whose first corner (clockwise) is inside and leaves where it is outside.
      const enter = [0, 1, 2, 3].filter((edge) => corners[edge] && !corners[(edge + 1) % 4]);
      for (const edge of enter) {
        let exit = edge;
        do exit = (exit + 3) % 4;
        while (!(!corners[exit] && corners[(exit + 1) % 4]));
        const [from, to] = [edges[edge](), edges[exit]()];
        onward.set(from.join(), [from, to]);
      }
    }
  }
  const found: Outline[] = [];
  while (onward.size > 0) {
    const line: Outline = [];
    let [key] = onward.keys();
    for (let step = onward.get(key); step; step = onward.get(key)) {
      onward.delete(key);
      const [[x, y], to] = step;
      line.push(share(x, columns), share(y, rows));
      key = to.join();
    }
    if (line.length >= 2 * SHORTEST) found.push(line);
  }
  return found;
}

const share = (place: number, side: number): number =>
  Math.round((1000 * Math.min(side, Math.max(0, place + 0.5))) / side) / 1000;
