/** The cells of a DICOM film's pixels (PS3.5 8, A): unsigned numbers, by transfer syntax. */
import type { DataSet, Element } from 'dicom-parser';
import { type Remark, remark } from '../../contract/codes';
import type { Decoded } from '../codecs';
import { UnreadableFilm } from '../film';
import { bitmapOf, drawn, grey } from '../pixels';
import type { Layout } from './defaults';
import { text } from './elements';
import { BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, type Size, TAG } from './header';
import { isSigned } from './sign';

/** GE's own: little endian, but for the pixels. */
const GE_BIG_ENDIAN = '1.2.840.113619.5.2';
const STANDARD = '1.2.840.10008.';

type Numbers = Uint8Array | Uint16Array | Uint32Array;

export interface Cells {
  cells: Numbers;
  /** Of a pixel. */
  samples: number;
  /** Whether each colour has a plane of its own. */
  planes: boolean;
  /** Whether the first sample is the luma. */
  luma: boolean;
  remarks: Remark[];
}

/** The only frame. `private_coding` where uncompressed pixels were found under a name that no standard has. */
export async function cellsOf(header: DataSet, size: Size, layout: Layout): Promise<Cells> {
  const syntax = text(header, TAG.syntax) || IMPLICIT;
  const element = header.elements[TAG.pixels];
  const { samples, photometric, planes, allocated } = layout;
  const luma = photometric.startsWith('YBR_FULL');
  if (element.encapsulatedPixelData) {
    const found = await decoded(header, fragments(header, element), syntax, size, layout);
    // A stream may hold 8 bits where the header stores 12 of 16.
    const cells = found instanceof Uint8Array && allocated === 16 ? Uint16Array.from(found) : found;
    if (cells.length < size.width * size.height * samples) throw new UnreadableFilm('truncated');
    const inRgb = JPEG_LOSSY.includes(syntax);
    return { cells, samples, planes: false, luma: luma && !inRgb, remarks: [] };
  }
  const remarks = syntax.startsWith(STANDARD) ? [] : [remark('private_coding')];
  const halved = samples === 3 && photometric === 'YBR_FULL_422';
  const count = size.width * size.height * (halved ? 2 : samples);
  const cells = uncompressed(header, element, syntax, count, allocated);
  if (!halved) return { cells, samples, planes, luma, remarks };
  // Two lumas, then the two colour differences that they share (PS3.3 C.7.6.3.1.2).
  const lumas = Uint32Array.from({ length: 3 * (count / 2) }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return cells[4 * (pixel >> 1) + (pixel & 1)];
  });
  return { cells: lumas, samples, planes: false, luma, remarks };
}

/** PS3.5 8.1.1 and 8.2: one cell after the other, each of 1, 8, 16 or 32 bits. */
function uncompressed(header: DataSet, element: Element, syntax: string, count: number, allocated: number): Numbers {
  if (![1, 8, 16, 32].includes(allocated)) throw new UnreadableFilm('unknown_coding', `${allocated} bits a pixel`);
  const bytes = header.byteArray.slice(element.dataOffset, element.dataOffset + element.length);
  if (bytes.length * 8 < count * allocated) throw new UnreadableFilm('truncated');
  // Other Word (OW): bytes are swapped in pairs, also where a pixel has only one (PS3.5 7.3).
  if (syntax === BIG_ENDIAN || syntax === GE_BIG_ENDIAN) {
    swap(bytes, Math.max(allocated / 8, element.vr === 'OB' ? 1 : 2));
  }
  return allocated === 1 ? unpackBits(bytes, count) : typed(bytes, allocated);
}

const JPEG_LOSSY = ['1.2.840.10008.1.2.4.50', '1.2.840.10008.1.2.4.51'];

async function decoded(
  header: DataSet,
  frame: Uint8Array<ArrayBuffer>,
  syntax: string,
  size: Size,
  { samples, allocated }: Layout,
): Promise<Numbers> {
  switch (syntax) {
    case '1.2.840.10008.1.2.5':
      return typed(unpackRle(frame, size.width * size.height * samples, allocated / 8), allocated);
    case JPEG_LOSSY[0]:
    case JPEG_LOSSY[1]:
      if (precisionOf(frame) !== 8) throw new UnreadableFilm('no_decoder', 'JPEG of more than 8 bits');
      return browserJpeg(header, frame, size, samples);
    case '1.2.840.10008.1.2.4.57':
    case '1.2.840.10008.1.2.4.70': {
      if (samples !== 1) throw new UnreadableFilm('no_decoder', 'lossless JPEG in colour');
      const { Decoder } = await import('jpeg-lossless-decoder-js');
      const stream = withoutFill(frame);
      const decoder = new Decoder();
      const bytes = new Uint8Array(decoder.decompress(stream.buffer, 0, stream.length));
      return typed(bytes, (8 * bytes.length) / (size.width * size.height) > 8 ? 16 : 8);
    }
    case '1.2.840.10008.1.2.4.80':
    case '1.2.840.10008.1.2.4.81': {
      const { decodeJpegLs } = await import('../codecs');
      return wasmDecoded(await decodeJpegLs(frame), header);
    }
    case '1.2.840.10008.1.2.4.90':
    case '1.2.840.10008.1.2.4.91': {
      const { decodeJpeg2000 } = await import('../codecs');
      return wasmDecoded(await decodeJpeg2000(frame), header);
    }
    case IMPLICIT:
    case EXPLICIT:
    case BIG_ENDIAN:
    case DEFLATED:
      throw new UnreadableFilm('truncated', 'pixels in pieces that the transfer syntax does not have');
    default:
      throw new UnreadableFilm('unknown_coding', syntax);
  }
}

/** The header says whether the highest of the stream's bits is a sign; a stream may contradict it (PS3.5 8.2.4). */
function wasmDecoded({ bytes, bits }: Decoded, header: DataSet): Numbers {
  const values = typed(bytes, bits > 8 ? 16 : 8);
  const unused = 32 - bits;
  return isSigned(header)
    ? values.map((value) => (value << unused) >> unused)
    : values.map((value) => (value << unused) >>> unused);
}

/** Bits a sample of a JPEG stream (ISO 10918-1 B.2.2); 0 where it names none. */
function precisionOf(stream: Uint8Array): number {
  for (let at = 2; at + 4 < stream.length && stream[at] === 0xff;) {
    const marker = stream[at + 1];
    if (marker === 0xff) at += 1;
    else if (marker >= 0xc0 && marker <= 0xc2) return stream[at + 4];
    else at += 2 + (stream[at + 2] << 8) + stream[at + 3];
  }
  return 0;
}

/** A stream without the fill bytes that may stand before its markers (ISO 10918-1 B.1.1.2). */
const withoutFill = (stream: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  stream.filter((byte, at) => byte !== 0xff || stream[at + 1] !== 0xff);

/** One bit a pixel, the lowest first (PS3.5 8.1.1). */
function unpackBits(bytes: Uint8Array, count: number): Uint8Array {
  if (bytes.length * 8 < count) throw new UnreadableFilm('truncated');
  return Uint8Array.from({ length: count }, (_, index) => (bytes[index >> 3] >> (index & 7)) & 1);
}

/** All fragments of the only frame, one after the other. */
function fragments(header: DataSet, { fragments: parts = [] }: Element): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const { position, length } of parts) {
    if (position + length > header.byteArray.length) throw new UnreadableFilm('truncated', 'a fragment is cut short');
    frame.set(header.byteArray.subarray(position, position + length), at);
    at += length;
  }
  if (at === 0) throw new UnreadableFilm('truncated');
  return frame;
}

function typed(bytes: Uint8Array, bits: number): Numbers {
  const whole = bytes.slice(0, bytes.length - (bytes.length % (bits / 8))).buffer;
  if (bits === 8) return new Uint8Array(whole);
  return bits === 16 ? new Uint16Array(whole) : new Uint32Array(whole);
}

function swap(bytes: Uint8Array, size: number): void {
  for (let at = 0; at + size <= bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}

/** Adobe's APP14 (ISO 10918-6 6.5.3): the components are red, green and blue, not luma and colour differences. */
const RED_GREEN_BLUE = Uint8Array.from('\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0', (byte) => byte.charCodeAt(0));

/** 8-bit JPEG, by the browser, in grey or RGB; the header's colour space counts only where the stream names none. */
async function browserJpeg(
  header: DataSet,
  frame: Uint8Array<ArrayBuffer>,
  size: Size,
  samples: number,
): Promise<Uint8Array> {
  // A marker that comes later, or JFIF's, overrules this one.
  const marker = text(header, TAG.photometric) === 'RGB' ? RED_GREEN_BLUE : '';
  const stream = new Blob([frame.subarray(0, 2), marker, frame.subarray(2)], { type: 'image/jpeg' });
  const bitmap = await bitmapOf(stream).catch(() => {
    throw new UnreadableFilm('truncated', 'the JPEG in the film is damaged');
  });
  const { width, height } = bitmap;
  const { data } = drawn(bitmap, Infinity);
  bitmap.close();
  if (width !== size.width || height !== size.height) throw new UnreadableFilm('damaged', 'two sizes');
  if (samples === 1) return grey(data);
  const colours = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    for (let s = 0; s < 3; s++) colours[3 * i + s] = data[4 * i + s];
  }
  return colours;
}

/** RLE Lossless (PS3.5 G): one PackBits segment for each byte of each sample, the highest byte first. */
function unpackRle(frame: Uint8Array, values: number, bytesEach: number): Uint8Array {
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
