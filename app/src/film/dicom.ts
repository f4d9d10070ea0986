/**
 * DICOM films: windowed (PS3.3 C.11.2), MONOCHROME1 turned, refused where the header rules out a chest.
 * The same rules as `ai_for_sudan.radiographs.dicom`.
 */
import { type DataSet, type Element, parseDicom } from 'dicom-parser';
import { ageYears, EXAMINED } from '../contract/ages';
import { codeString, LONGEST_MEANING, refusals } from '../contract/headers';
import { LARGEST_PICTURE } from '../contract/limits';
import { inverts } from '../contract/polarity';
import { bitmapOf, drawn, explicitVr, LONGEST_SIDE } from './decode';
import { type Film, UnreadableFilm } from './film';

const IMPLICIT = '1.2.840.10008.1.2';
const EXPLICIT = '1.2.840.10008.1.2.1';

const TAG = {
  syntax: 'x00020010',
  modality: 'x00080060',
  age: 'x00101010',
  born: 'x00100030',
  StudyDate: 'x00080020',
  SeriesDate: 'x00080021',
  AcquisitionDate: 'x00080022',
  ContentDate: 'x00080023',
  bodyPart: 'x00180015',
  view: 'x00185101',
  viewCode: 'x00540220',
  codeMeaning: 'x00080104',
  samples: 'x00280002',
  photometric: 'x00280004',
  planar: 'x00280006',
  frames: 'x00280008',
  rows: 'x00280010',
  columns: 'x00280011',
  bitsAllocated: 'x00280100',
  signed: 'x00280103',
  center: 'x00281050',
  width: 'x00281051',
  intercept: 'x00281052',
  slope: 'x00281053',
  windowFunction: 'x00281056',
  palette: ['x00281101', 'x00281102', 'x00281103'],
  paletteData: ['x00281201', 'x00281202', 'x00281203'],
  modalityLut: 'x00283000',
  lutDescriptor: 'x00283002',
  lutData: 'x00283006',
  voiLut: 'x00283010',
  pixels: 'x7fe00010',
} as const;

type Values = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array;

/** @throws UnreadableFilm */
export async function decodeDicom(bytes: Uint8Array, name: string): Promise<Film> {
  const header = parsed(bytes);
  const remarks = refusals(code(header, TAG.modality), code(header, TAG.bodyPart), viewOf(header));
  let size: { width: number; height: number };
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
  const grey = stretched(values);
  const polarity = inverts(code(header, TAG.photometric), grey, size.width, size.height);
  return reduced({
    name,
    ...size,
    pixels: polarity.inverts ? grey.map((value) => 255 - value) : grey,
    ageYears: ageOf(header),
    refusals: remarks.map((remark) => remark.code),
    warnings: polarity.warnings.map((remark) => remark.code),
  });
}

function viewOf(header: DataSet): string | null {
  const coded = header.elements[TAG.viewCode]?.items?.[0]?.dataSet;
  return code(header, TAG.view) ?? codeString(coded?.string(TAG.codeMeaning), LONGEST_MEANING);
}

function ageOf(header: DataSet): number | null {
  const dates = EXAMINED.map((keyword) => code(header, TAG[keyword as keyof typeof TAG] as string));
  return ageYears(code(header, TAG.age), code(header, TAG.born), dates.find((date) => date !== null) ?? null);
}

function parsed(bytes: Uint8Array): DataSet {
  try {
    const preamble = String.fromCharCode(...bytes.subarray(128, 132)) === 'DICM';
    if (preamble) return parseDicom(bytes);
    return parseDicom(bytes, { TransferSyntaxUID: explicitVr(bytes) ? EXPLICIT : IMPLICIT });
  } catch (error) {
    const { exception, dataSet } = error as { exception?: unknown; dataSet?: DataSet };
    throw new UnreadableFilm(dataSet?.elements[TAG.rows] ? 'truncated' : 'damaged', String(exception ?? error));
  }
}

/** Refuse before anything is decoded or allocated. */
function checked(header: DataSet): { width: number; height: number } {
  if (!header.elements[TAG.pixels]) throw new UnreadableFilm('no_pixels');
  if ((header.intString(TAG.frames) ?? 1) > 1) throw new UnreadableFilm('multi_frame');
  const height = header.uint16(TAG.rows);
  const width = header.uint16(TAG.columns);
  if (!width || !height) throw new UnreadableFilm('damaged', 'no Rows and Columns');
  if (width * height > LARGEST_PICTURE) throw new UnreadableFilm('too_large');
  return { width, height };
}

const code = (header: DataSet, tag: string): string | null => codeString(header.string(tag));

const text = (header: DataSet, tag: string): string => (header.string(tag) ?? '').trim().toUpperCase();

async function displayValues(header: DataSet, size: { width: number; height: number }): Promise<Float32Array> {
  const raw = await storedValues(header, size);
  const count = size.width * size.height;
  const photometric = text(header, TAG.photometric);
  if (photometric === 'PALETTE COLOR') return paletteLuma(header, raw, count);
  if (raw.length >= 3 * count && (header.uint16(TAG.samples) ?? 1) >= 3)
    return colourLuma(header, raw, count, photometric);
  if (raw.length < count) throw new UnreadableFilm('truncated');
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

/** A film of a plate has up to 4000 pixels a side: reduce it as every picture is reduced. */
function reduced(film: Film): Film {
  const factor = Math.ceil(Math.max(film.width, film.height) / LONGEST_SIDE);
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

// The pixels as they are stored, by transfer syntax (PS3.5 A)

async function storedValues(header: DataSet, size: { width: number; height: number }): Promise<Values> {
  const syntax = text(header, TAG.syntax) || IMPLICIT;
  const element = header.elements[TAG.pixels];
  const bits = header.uint16(TAG.bitsAllocated) ?? 16;
  const signed = header.uint16(TAG.signed) === 1;
  if (!element.encapsulatedPixelData) {
    if (![8, 16, 32].includes(bits)) throw new UnreadableFilm('no_decoder', `${bits} bits a pixel`);
    const bytes = header.byteArray.slice(element.dataOffset, element.dataOffset + element.length);
    if (syntax === '1.2.840.10008.1.2.2') swap(bytes, bits / 8);
    return typed(bytes, bits, signed);
  }
  const frame = fragments(header, element);
  switch (syntax) {
    case '1.2.840.10008.1.2.5':
      return typed(
        unpackRle(frame, size.width * size.height * (header.uint16(TAG.samples) ?? 1), bits / 8),
        bits,
        signed,
      );
    case '1.2.840.10008.1.2.4.50':
    case '1.2.840.10008.1.2.4.51':
      return browserJpeg(header, frame);
    case '1.2.840.10008.1.2.4.57':
    case '1.2.840.10008.1.2.4.70': {
      const { Decoder } = await import('jpeg-lossless-decoder-js');
      return typed(new Uint8Array(new Decoder().decompress(frame.buffer, 0, frame.length)), bits, signed);
    }
    case '1.2.840.10008.1.2.4.80':
    case '1.2.840.10008.1.2.4.81': {
      const { decodeJpegLs } = await import('./codecs');
      return wasmDecoded(await decodeJpegLs(frame), signed);
    }
    case '1.2.840.10008.1.2.4.90':
    case '1.2.840.10008.1.2.4.91': {
      const { decodeJpeg2000 } = await import('./codecs');
      return wasmDecoded(await decodeJpeg2000(frame), signed);
    }
    default:
      throw new UnreadableFilm('no_decoder', syntax);
  }
}

function wasmDecoded({ bytes, bits }: { bytes: Uint8Array; bits: number }, signed: boolean): Values {
  return typed(bytes, bits > 8 ? 16 : 8, signed);
}

/** All fragments of the only frame, one after the other. */
function fragments(header: DataSet, { fragments: parts = [] }: Element): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const { position, length } of parts) {
    frame.set(header.byteArray.subarray(position, position + length), at);
    at += length;
  }
  if (at === 0) throw new UnreadableFilm('truncated');
  return frame;
}

function typed(bytes: Uint8Array, bits: number, signed: boolean): Values {
  const whole = bytes.slice(0, bytes.length - (bytes.length % (bits / 8))).buffer;
  if (bits === 8) return signed ? new Int8Array(whole) : new Uint8Array(whole);
  if (bits === 16) return signed ? new Int16Array(whole) : new Uint16Array(whole);
  return signed ? new Int32Array(whole) : new Uint32Array(whole);
}

function swap(bytes: Uint8Array, size: number): void {
  for (let at = 0; at + size <= bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}

/** 8-bit JPEG, by the browser. */
async function browserJpeg(header: DataSet, frame: Uint8Array<ArrayBuffer>): Promise<Values> {
  const bitmap = await bitmapOf(new Blob([frame], { type: 'image/jpeg' })).catch(() => {
    throw new UnreadableFilm('no_decoder', 'JPEG of more than 8 bits, or damaged');
  });
  const { data } = drawn(bitmap, Infinity);
  bitmap.close();
  const samples = header.uint16(TAG.samples) ?? 1;
  const out = new Uint8Array((data.length / 4) * samples);
  for (let i = 0; i < data.length / 4; i++) {
    for (let s = 0; s < samples; s++) out[i * samples + s] = data[i * 4 + s];
  }
  // The browser has turned YBR to RGB.
  if (samples === 3) header.elements[TAG.photometric] = { ...header.elements[TAG.photometric], length: 0 };
  return out;
}

/** RLE Lossless (PS3.5 G): one PackBits segment for each byte of each sample, the highest byte first. */
export function unpackRle(frame: Uint8Array, values: number, bytesEach: number): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const count = view.getUint32(0, true);
  if (count === 0 || count > 15) throw new UnreadableFilm('damaged');
  const samples = Math.max(1, Math.round(count / bytesEach));
  const out = new Uint8Array(values * bytesEach);
  const perSample = values / samples;
  for (let segment = 0; segment < count; segment++) {
    let at = view.getUint32(4 + 4 * segment, true);
    const end = segment + 1 < count ? view.getUint32(8 + 4 * segment, true) : frame.length;
    const sample = Math.floor(segment / bytesEach);
    const byte = bytesEach - 1 - (segment % bytesEach);
    let pixel = 0;
    const put = (value: number) => {
      if (pixel < perSample) out[(pixel++ * samples + sample) * bytesEach + byte] = value;
    };
    while (at < end && pixel < perSample) {
      const length = view.getInt8(at++);
      if (length >= 0) for (let i = 0; i <= length && at < end; i++) put(frame[at++]);
      else if (length > -128) {
        const value = frame[at++];
        for (let i = 0; i <= -length; i++) put(value);
      }
    }
    if (pixel < perSample) throw new UnreadableFilm('truncated');
  }
  return out;
}
