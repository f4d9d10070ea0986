/**
 * The picture that a workstation shows (PS3.3 C.11, PS3.4 N.2): the steps in their order. Each step works on the numbers
 * that a pixel cell can hold, not on the pixels: 65,536 of them where a film has millions.
 */
import type { DataSet } from 'dicom-parser';
import { type Remark, remark } from '../../contract/codes';
import { inverts, showsNothing } from '../../contract/polarity';
import type { Cells } from './cells';
import { throughPalette } from './colour';
import { eightBits, withoutLabel } from './eight_bits';
import { text } from './elements';
import { type Size, TAG } from './header';
import { measured } from './modality';
import { padding } from './padding';
import { isInverse } from './polarity';
import { withSign } from './sign';
import { storedBits } from './stored_bits';
import { ofInterest } from './voi';

export interface Picture {
  /** uint8, row by row, bone white. */
  pixels: Uint8Array<ArrayBuffer>;
  /** What the header asked for and could not be done. */
  remarks: Remark[];
}

/** The picture of a film of one sample a pixel, of its cells as they are stored, with all their bits. */
export function pictureOf(given: Cells['cells'], { width, height }: Size, header: DataSet): Picture {
  const allocated = 8 * given.BYTES_PER_ELEMENT;
  const { cells, numbers } = numbered(given.subarray(0, width * height));
  const present = new Uint8Array(numbers.length);
  for (const cell of cells) present[cell] = 1;
  const { values: stored, bits, remarks } = storedBits(numbers, allocated, header);
  if (text(header, TAG.photometric) === 'PALETTE COLOR') {
    return { pixels: through(cells, eightBits(throughPalette(stored, header), present)), remarks };
  }
  const values = withSign(stored, bits, header);
  const { padded, remarks: ignored } = padding(numbers, values, present, bits, header);
  const film = present.map((occurs, index) => Number(occurs && !padded[index]));
  const { values: found, remarks: rescaled } = measured(values, header);
  const { values: shown, remarks: windowed } = ofInterest(found, header);
  remarks.push(...ignored, ...rescaled, ...windowed);
  const full = shown && falls(shown, found, film) ? found.map((value) => -value) : found;
  const counted = shown ? film : withoutLabel(full, film);
  if (counted !== film) remarks.push(remark('label_ignored'));
  // What is said of a film, blank or a negative, is said of all that it holds: a window must not decide.
  const inverse = isInverse(header);
  const greys = (shades: Uint8Array) => shades.map((shade, index) => (padded[index] ? (inverse ? 255 : 0) : shade));
  const whole = greys(eightBits(full, counted));
  let table = whole;
  const pixels = through(cells, whole);
  const polarity = inverts(inverse ? 'MONOCHROME1' : 'MONOCHROME2', pixels, width, height);
  if (shown) {
    const shades = greys(eightBits(shown, film));
    // Bars of padding beside the film are no contrast.
    const blank = (table: Uint8Array) => {
      const darkest = table.reduce((least, shade, index) => (film[index] ? Math.min(least, shade) : least), 255);
      const filled = table.map((shade, index) => (padded[index] ? darkest : shade));
      return showsNothing(through(cells, filled), width, height);
    };
    if (blank(shades) && !blank(whole)) {
      remarks.push(remark('window_hides'));
    } else table = shades;
  }
  const boneWhite = table.map((shade, index) => (padded[index] ? 0 : polarity.inverts ? 255 - shade : shade));
  return { pixels: through(cells, boneWhite), remarks: [...remarks, ...polarity.warnings] };
}

/** Cells as indices of the numbers that they can hold; of 32 bits, those that they do hold. */
function numbered(cells: Cells['cells']): { cells: Uint8Array | Uint16Array | Uint32Array; numbers: Float64Array } {
  if (!(cells instanceof Uint32Array)) {
    return { cells, numbers: Float64Array.from({ length: 256 ** cells.BYTES_PER_ELEMENT }, (_, number) => number) };
  }
  const ranks = new Map([...new Set(cells)].sort((a, b) => a - b).map((number, rank) => [number, rank]));
  return { cells: cells.map((cell) => ranks.get(cell)!), numbers: Float64Array.from(ranks.keys()) };
}

/** Whether a table shows the highest value darker than the lowest. */
function falls(shown: Float64Array, found: Float64Array, film: Uint8Array): boolean {
  let low = -1;
  let high = -1;
  for (let index = 0; index < film.length; index++) {
    if (!film[index]) continue;
    if (low < 0 || found[index] < found[low]) low = index;
    if (high < 0 || found[index] > found[high]) high = index;
  }
  return shown[high] < shown[low];
}

function through(cells: Uint8Array | Uint16Array | Uint32Array, table: Uint8Array): Uint8Array<ArrayBuffer> {
  const pixels = new Uint8Array(cells.length);
  for (let i = 0; i < cells.length; i++) pixels[i] = table[cells[i]];
  return pixels;
}
