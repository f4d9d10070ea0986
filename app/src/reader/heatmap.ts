import { colour } from '../contract/colours';

/** Side, in pixels, at which heatmaps are drawn before the screen enlarges them. */
const SIDE = 224;

/** Bilinear enlargement of `map` [rows, columns] to `SIDE` x `SIDE`, pixel centres aligned. */
export function enlarge(map: ArrayLike<number>, rows: number, columns: number, side = SIDE): Float32Array {
  const out = new Float32Array(side * side);
  for (let y = 0; y < side; y++) {
    const v = Math.min(rows - 1, Math.max(0, ((y + 0.5) * rows) / side - 0.5));
    const top = Math.floor(v);
    const bottom = Math.min(rows - 1, top + 1);
    for (let x = 0; x < side; x++) {
      const u = Math.min(columns - 1, Math.max(0, ((x + 0.5) * columns) / side - 0.5));
      const left = Math.floor(u);
      const right = Math.min(columns - 1, left + 1);
      const above = map[top * columns + left] * (1 - (u - left)) + map[top * columns + right] * (u - left);
      const below = map[bottom * columns + left] * (1 - (u - left)) + map[bottom * columns + right] * (u - left);
      out[y * side + x] = above * (1 - (v - top)) + below * (v - top);
    }
  }
  return out;
}

/** The heatmap as a picture to lay over the film. `fullColour` (logit units) is drawn at full colour; nothing is stretched. */
export function heatmapPicture(map: ArrayLike<number>, rows: number, columns: number, fullColour: number): ImageData {
  const enlarged = enlarge(map, rows, columns);
  const picture = new ImageData(SIDE, SIDE);
  for (let index = 0; index < enlarged.length; index++) {
    picture.data.set(colour(enlarged[index] / fullColour), index * 4);
  }
  return picture;
}
