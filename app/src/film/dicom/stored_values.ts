/** The pixels of a DICOM file as they are stored, by transfer syntax (PS3.5 A). */
import type { DataSet, Element } from 'dicom-parser';
import { bitmapOf, drawn, grey } from '../pixels';
import type { Decoded } from '../codecs';
import { UnreadableFilm } from '../film';
import { BIG_ENDIAN, IMPLICIT, TAG, text } from './header';

export type Values = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array;

export interface Size {
  width: number;
  height: number;
}

export async function storedValues(header: DataSet, size: Size): Promise<Values> {
  const syntax = text(header, TAG.syntax) || IMPLICIT;
  const element = header.elements[TAG.pixels];
  const bits = header.uint16(TAG.bitsAllocated) ?? 16;
  const signed = header.uint16(TAG.signed) === 1;
  if (!element.encapsulatedPixelData) {
    if (![1, 8, 16, 32].includes(bits)) throw new UnreadableFilm('no_decoder', `${bits} bits a pixel`);
    const bytes = header.byteArray.slice(element.dataOffset, element.dataOffset + element.length);
    // Other Word (OW): bytes are swapped in pairs, also where a pixel has only one (PS3.5 7.3).
    if (syntax === BIG_ENDIAN) swap(bytes, Math.max(bits / 8, element.vr === 'OB' ? 1 : 2));
    if (bits === 1) return unpackBits(bytes, size.width * size.height);
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
      if ((header.uint16(TAG.bitsStored) ?? 8) > 8) throw new UnreadableFilm('no_decoder', 'JPEG of more than 8 bits');
      return browserJpeg(header, frame, size);
    case '1.2.840.10008.1.2.4.57':
    case '1.2.840.10008.1.2.4.70': {
      if ((header.uint16(TAG.samples) ?? 1) !== 1) throw new UnreadableFilm('no_decoder', 'lossless JPEG in colour');
      const { Decoder } = await import('jpeg-lossless-decoder-js');
      return typed(new Uint8Array(new Decoder().decompress(frame.buffer, 0, frame.length)), bits, signed);
    }
    case '1.2.840.10008.1.2.4.80':
    case '1.2.840.10008.1.2.4.81': {
      const { decodeJpegLs } = await import('../codecs');
      return wasmDecoded(await decodeJpegLs(frame), signed);
    }
    case '1.2.840.10008.1.2.4.90':
    case '1.2.840.10008.1.2.4.91': {
      const { decodeJpeg2000 } = await import('../codecs');
      return wasmDecoded(await decodeJpeg2000(frame), signed);
    }
    default:
      throw new UnreadableFilm('no_decoder', syntax);
  }
}

/** The header says whether the highest of the stream's bits is a sign; a stream may contradict it (PS3.5 8.2.4). */
function wasmDecoded({ bytes, bits }: Decoded, signed: boolean): Values {
  const values = typed(bytes, bits > 8 ? 16 : 8, signed);
  const unused = 32 - bits;
  return signed
    ? values.map((value) => (value << unused) >> unused)
    : values.map((value) => (value << unused) >>> unused);
}

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

/** Adobe's APP14 (ISO 10918-6 6.5.3): the components are red, green and blue, not luma and colour differences. */
const RED_GREEN_BLUE = Uint8Array.from('\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0', (byte) => byte.charCodeAt(0));

/** 8-bit JPEG, by the browser, in grey or RGB; the header's colour space counts only where the stream names none. */
async function browserJpeg(header: DataSet, frame: Uint8Array<ArrayBuffer>, size: Size): Promise<Values> {
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
  if ((header.uint16(TAG.samples) ?? 1) === 1) return grey(data);
  header.elements[TAG.photometric] = { ...header.elements[TAG.photometric], length: 0 };
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
