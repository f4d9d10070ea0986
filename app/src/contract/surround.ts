/** The plain surround of a film, and what lies inside: the same rule as `ai_for_sudan.contract.surround`. */
import rule from '../../../src/ai_for_sudan/contract/surround.json';
import { SMALLEST_SIDE } from './limits';

/** The exposed field: rows and columns of a film, the ends excluded. */
export interface Field {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

/** The field inside a plain surround of a film (uint8, row by row); null where there is no surround. */
export function exposedField(film: Uint8Array, height: number, width: number): Field | null {
  const [down, across] = [height, width].map((side) => Math.max(1, Math.floor(side / rule.most_samples)));
  const [rows, columns] = [Math.ceil(height / down), Math.ceil(width / across)];
  const at = (row: number, column: number) => film[row * down * width + column * across];
  const edge: number[] = [];
  for (let column = 0; column < columns; column++) edge.push(at(0, column), at(rows - 1, column));
  for (let row = 1; row < rows - 1; row++) edge.push(at(row, 0), at(row, columns - 1));
  const grey = edge.sort((a, b) => a - b)[edge.length >> 1];
  const other = (value: number) => Math.abs(value - grey) > rule.same_grey;
  if (edge.filter((value) => !other(value)).length / edge.length < rule.plain_edge) return null;
  const [inRow, inColumn] = [new Uint32Array(rows), new Uint32Array(columns)];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (!other(at(row, column))) continue;
      inRow[row]++;
      inColumn[column]++;
    }
  }
  const ends = (counts: Uint32Array, of: number, step: number, side: number): [number, number] | null => {
    const full = (count: number) => count / of > rule.content;
    const first = counts.findIndex(full);
    if (first < 0) return null;
    let last = counts.length - 1;
    while (!full(counts[last])) last--;
    return [first * step, Math.min(side, (last + 1) * step)];
  };
  const [vertical, horizontal] = [ends(inRow, columns, down, height), ends(inColumn, rows, across, width)];
  if (!vertical || !horizontal) return null;
  const [[top, bottom], [left, right]] = [vertical, horizontal];
  const share = Math.min((bottom - top) / height, (right - left) / width);
  const small = share < rule.smallest || Math.min(bottom - top, right - left) < SMALLEST_SIDE;
  return share >= rule.largest || small ? null : { top, bottom, left, right };
}

/** The field of a film (uint8, row by row). */
export function partOf(film: Uint8Array, width: number, field: Field): Uint8Array<ArrayBuffer> {
  const columns = field.right - field.left;
  const cut = new Uint8Array((field.bottom - field.top) * columns);
  for (let row = field.top; row < field.bottom; row++) {
    const start = row * width + field.left;
    cut.set(film.subarray(start, start + columns), (row - field.top) * columns);
  }
  return cut;
}

/** A map of the field, row by row, in the frame of the film: as fine as it was, and 0 around it. */
export function mapOf(
  map: { values: Float32Array; size: [number, number] },
  field: Field,
  film: { height: number; width: number },
): { values: Float32Array; size: [number, number] } {
  const [down, across] = [map.size[0] / (field.bottom - field.top), map.size[1] / (field.right - field.left)];
  const [top, left] = [halfEven(field.top * down), halfEven(field.left * across)];
  const rows = Math.max(top + map.size[0], halfEven(film.height * down));
  const columns = Math.max(left + map.size[1], halfEven(film.width * across));
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < map.size[0]; row++) {
    values.set(map.values.subarray(row * map.size[1], (row + 1) * map.size[1]), (top + row) * columns + left);
  }
  return { values, size: [rows, columns] };
}

/** Rounded as Python does it: a half goes to the even neighbour. */
function halfEven(value: number): number {
  const rounded = Math.round(value);
  return value % 1 === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}
