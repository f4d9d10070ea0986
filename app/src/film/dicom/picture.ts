/** A DICOM file as a film: windowed (PS3.3 C.11.2) and bone white. The same rules as `ai_for_sudan.radiographs`. */
import type { DataSet } from 'dicom-parser';
import { type Film, MOST_PIXELS, UnreadableFilm } from '../film';
import { ageOf, checked, code, parsed, remarksOf, TAG, text } from './header';
import { boneWhite } from './polarity';
import { type Size, storedValues, type Values } from './stored_values';

/** @throws UnreadableFilm */
export async function decodeDicom(bytes: Uint8Array, name: string): Promise<Film> {
  const header = await parsed(bytes);
  const remarks = remarksOf(header);
  let size: Size;
  let values: Float32Array;
  try {
    size = checked(header);
    values = await displayValues(header, size);
  } catch (error) {
    // A header that rules the film out is the reason, whatever its pixels are.
    if (remarks.length > 0) throw new UnreadableFilm(remarks.map((remark) => remark.code));
    if (error instanceof UnreadableFilm) throw error;
    throw new UnreadableFilm('truncated', String(error));
  }
  return reduced({
    name,
    ...size,
    ...boneWhite(stretched(values), size.width, size.height, code(header, TAG.photometric)),
    ageYears: ageOf(header),
    corners: null,
    refusals: remarks,
  });
}

async function displayValues(header: DataSet, size: Size): Promise<Float32Array> {
  const raw = await storedValues(header, size);
  const count = size.width * size.height;
  const photometric = text(header, TAG.photometric);
  if (photometric === 'PALETTE COLOR') return paletteLuma(header, raw, count);
  const samples = header.uint16(TAG.samples) ?? 1;
  if (samples >= 3 && raw.length >= 3 * count) return colourLuma(header, raw, count, photometric);
  if (photometric === 'YBR_FULL_422' && raw.length >= 2 * count && samples === 3) {
    // Uncompressed: two lumas, then the two colour differences that they share (PS3.3 C.7.6.3.1.2).
    return Float32Array.from({ length: count }, (_, index) => raw[4 * (index >> 1) + (index & 1)]);
  }
  // Of a colour film that is cut short the beginning must not pass for a grey one.
  if (samples >= 3 || raw.length < count) throw new UnreadableFilm('truncated');
  const values = Float32Array.from(raw.subarray(0, count));
  try {
    return windowed(header, rescaled(header, values));
  } catch {
    // A window that is nonsense (width 0, a text): the raw values are shown over their whole range.
    return values;
  }
}

function rescaled(header: DataSet, values: Float32Array): Float32Array {
  const table = lookupTable(header, TAG.modalityLut);
  if (table) return values.map(table);
  const slope = header.floatString(TAG.slope);
  const intercept = header.floatString(TAG.intercept);
  if (slope === undefined || intercept === undefined) return values;
  return values.map((value) => value * slope + intercept);
}

/** Any increasing function of the shown grey will do: `stretched` brings it over 0..255. */
function windowed(header: DataSet, values: Float32Array): Float32Array {
  const table = lookupTable(header, TAG.voiLut);
  if (table) return values.map(table);
  const center = header.floatString(TAG.center, 0);
  const width = header.floatString(TAG.width, 0);
  if (center === undefined || width === undefined) return values;
  const shape = text(header, TAG.windowFunction) || 'LINEAR';
  if (!Number.isFinite(center) || !(shape === 'LINEAR' ? width >= 1 : width > 0)) throw new Error('no window');
  const clipped = (share: number) => Math.min(1, Math.max(0, share));
  if (shape === 'SIGMOID') return values.map((value) => 1 / (1 + Math.exp((-4 * (value - center)) / width)));
  if (shape === 'LINEAR_EXACT') return values.map((value) => clipped((value - center) / width + 0.5));
  if (width === 1) return values.map((value) => Number(value > center - 0.5));
  return values.map((value) => clipped((value - (center - 0.5)) / (width - 1) + 0.5));
}

function lookupTable(header: DataSet, sequence: string): ((value: number) => number) | null {
  const item = header.elements[sequence]?.items?.[0]?.dataSet;
  if (!item?.elements[TAG.lutData]) return null;
  return table(item, TAG.lutDescriptor, TAG.lutData);
}

function table(from: DataSet, descriptor: string, data: string): (value: number) => number {
  const count = from.uint16(descriptor, 0) || 65536;
  const signed = from.elements[descriptor].vr === 'SS';
  const first = (signed ? from.int16(descriptor, 1) : from.uint16(descriptor, 1)) ?? 0;
  const { length } = from.elements[data];
  const entry = (index: number): number =>
    length >= 2 * count ? from.uint16(data, index)! : from.byteArray[from.elements[data].dataOffset + index];
  const entries = Float32Array.from({ length: count }, (_, index) => entry(index));
  return (value) => entries[Math.min(count - 1, Math.max(0, Math.round(value) - first))];
}

function paletteLuma(header: DataSet, raw: Values, count: number): Float32Array {
  const [red, green, blue] = TAG.palette.map((tag, i) => table(header, tag, TAG.paletteData[i]));
  return Float32Array.from(
    { length: count },
    (_, i) => 0.299 * red(raw[i]) + 0.587 * green(raw[i]) + 0.114 * blue(raw[i]),
  );
}

function colourLuma(header: DataSet, raw: Values, count: number, photometric: string): Float32Array {
  // The luma of YBR is its first sample.
  const planar = (header.uint16(TAG.planar) ?? 0) === 1 && !header.elements[TAG.pixels].encapsulatedPixelData;
  const [step, next] = planar ? [1, count] : [3, 1];
  const weights = photometric.startsWith('YBR_FULL') ? [1, 0, 0] : [0.299, 0.587, 0.114];
  return Float32Array.from(
    { length: count },
    (_, i) => weights[0] * raw[i * step] + weights[1] * raw[i * step + next] + weights[2] * raw[i * step + 2 * next],
  );
}

/** Stretched over 0..255. */
function stretched(values: Float32Array): Uint8Array<ArrayBuffer> {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) throw new UnreadableFilm('not_finite');
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const factor = high > low ? 255 / (high - low) : 0;
  return Uint8Array.from(values, (value) => (value - low) * factor + 0.5);
}

/** A film of more pixels than a phone has memory for, reduced. */
function reduced(film: Film): Film {
  const factor = Math.ceil(Math.sqrt((film.width * film.height) / MOST_PIXELS));
  if (factor <= 1) return film;
  const width = Math.floor(film.width / factor);
  const height = Math.floor(film.height / factor);
  const pixels = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let v = 0; v < factor; v++) {
        for (let u = 0; u < factor; u++) sum += film.pixels[(y * factor + v) * film.width + x * factor + u];
      }
      pixels[y * width + x] = Math.round(sum / (factor * factor));
    }
  }
  return { ...film, width, height, pixels };
}
