/** Colour films in grey: the luma of their samples or of their palette (PS3.3 C.7.6.3.1.2, C.7.6.3.1.5). */
import type { DataSet } from 'dicom-parser';
import { UnreadableFilm } from '../film';
import type { Cells } from './cells';
import { eightBits } from './eight_bits';
import { TAG } from './header';
import { lookedUp } from './lookup_table';

/** The luma of colour samples over the whole range of grey. The first sample of YBR_FULL is the luma. */
export function greyOfColours({ cells, samples, planes, luma }: Cells, count: number): Uint8Array<ArrayBuffer> {
  const [step, next] = planes ? [1, count] : [samples, 1];
  const [red, green, blue] = luma ? [1, 0, 0] : [0.299, 0.587, 0.114];
  const grey = Float64Array.from(
    { length: count },
    (_, i) => red * cells[i * step] + green * cells[i * step + next] + blue * cells[i * step + 2 * next],
  );
  return new Uint8Array(eightBits(grey, new Uint8Array(count).fill(1)));
}

/** The luma of palette entries. */
export function throughPalette(values: Float64Array, header: DataSet): Float64Array {
  const [red, green, blue] = TAG.palette.map((tag, i) => {
    const colour = lookedUp(values, header, tag, TAG.paletteData[i]);
    if (!colour) throw new UnreadableFilm('truncated', 'no palette');
    return colour;
  });
  return values.map((_, i) => 0.299 * red[i] + 0.587 * green[i] + 0.114 * blue[i]);
}
