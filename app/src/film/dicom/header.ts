/** What a DICOM header says: whether the file is a film at all, whose, and of what. */
import {
  bigEndianByteArrayParser,
  ByteStream,
  type DataSet,
  findEndOfEncapsulatedElement,
  readDicomElementExplicit,
  readDicomElementImplicit,
  readPart10Header,
} from 'dicom-parser';
import { ageYears, EXAMINED } from '../../contract/ages';
import type { Remark } from '../../contract/codes';
import { codeString, LONGEST_MEANING, refusals } from '../../contract/headers';
import { LARGEST_FILE, LARGEST_PICTURE } from '../../contract/limits';
import { UnreadableFilm } from '../film';
import { closed } from './delimiters';
import { text } from './elements';
import { explicitVr } from './signature';

export const IMPLICIT = '1.2.840.10008.1.2';
export const BIG_ENDIAN = '1.2.840.10008.1.2.2';
export const EXPLICIT = '1.2.840.10008.1.2.1';
export const DEFLATED = '1.2.840.10008.1.2.1.99';
const LAST_OF_META = 'x0002ffff';

export const TAG = {
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
  bitsStored: 'x00280101',
  highBit: 'x00280102',
  signed: 'x00280103',
  padding: 'x00280120',
  paddingLimit: 'x00280121',
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
  presentation: 'x20500020',
  pixels: 'x7fe00010',
} as const;

function viewOf(header: DataSet): string | null {
  const coded = itemOf(header, TAG.viewCode);
  return code(header, TAG.view) ?? codeString(coded?.string(TAG.codeMeaning), LONGEST_MEANING);
}

export function ageOf(header: DataSet): number | null {
  const dates = EXAMINED.map((keyword) => code(header, TAG[keyword as keyof typeof TAG] as string));
  return ageYears(code(header, TAG.age), code(header, TAG.born), dates.find((date) => date !== null) ?? null);
}

/**
 * Header and pixels. Each element is read as it is written, whatever the transfer syntax promises, as pydicom does.
 *
 * @throws UnreadableFilm; of a header that is cut short, with what its beginning refuses
 */
export async function parsed(file: Uint8Array): Promise<DataSet> {
  let header: (DataSet & { position: number }) | null = null;
  try {
    header = readPart10Header(closed(withPreamble(file))) as DataSet & { position: number };
    const syntax = header.string(TAG.syntax);
    if (syntax === DEFLATED) header.byteArray = await inflatedFrom(header.byteArray as Uint8Array, header.position);
    if (syntax === BIG_ENDIAN) header.byteArrayParser = bigEndianByteArrayParser;
    readElements(header, new ByteStream(header.byteArrayParser, header.byteArray, header.position));
    return header;
  } catch (error) {
    if (error instanceof UnreadableFilm) throw error;
    const remarks = header ? remarksOf(header) : [];
    if (remarks.length > 0) throw new UnreadableFilm(remarks.map((remark) => remark.code));
    const begun = Object.keys(header?.elements ?? {}).some((tag) => tag > LAST_OF_META);
    const reason = header?.elements[TAG.rows] ? 'truncated' : begun ? 'no_pixels' : 'damaged';
    throw new UnreadableFilm(reason, String(error));
  }
}

/** Old devices leave out the preamble and its four letters (PS3.10 7.1). */
function withPreamble(file: Uint8Array): Uint8Array {
  if (String.fromCharCode(...file.subarray(128, 132)) === 'DICM') return file;
  const whole = new Uint8Array(132 + file.length);
  whole.set(new TextEncoder().encode('DICM'), 128);
  whole.set(file, 132);
  return whole;
}

function readElements(header: DataSet, stream: ByteStream): void {
  const bytes = stream.byteArray;
  const implicit = !explicitVr(bytes, stream.position);
  while (stream.position + 8 <= bytes.length) {
    const explicit = !implicit && explicitVr(bytes, stream.position);
    const element = explicit ? readDicomElementExplicit(stream) : readDicomElementImplicit(stream, TAG.pixels);
    header.elements[element.tag] = element;
    if (explicit || element.tag !== TAG.pixels) continue;
    // The parser stands before these pixels: without a kind it would take compressed ones for a sequence.
    if (element.hadUndefinedLength) findEndOfEncapsulatedElement(stream, element);
    else stream.seek(element.length);
  }
}

/** For which reasons the header alone rules out a frontal chest film. */
export const remarksOf = (header: DataSet): Remark[] =>
  refusals(code(header, TAG.modality), code(header, TAG.bodyPart), viewOf(header));

/** The whole file with its data set, which begins at `at`, inflated (PS3.5 A.5), at most as large as any film. */
async function inflatedFrom(bytes: Uint8Array, at: number): Promise<Uint8Array> {
  // Browsers take for junk, and lose the end of the data over it, what may follow them: padding, or gzip's check sum.
  let body: Uint8Array | null = null;
  for (const behind of [0, 1, 8]) body ??= await inflated(bytes.slice(at, bytes.length - behind));
  if (!body) throw new UnreadableFilm('damaged', 'the deflated data set is damaged');
  const whole = new Uint8Array(at + body.length);
  whole.set(bytes.subarray(0, at));
  whole.set(body, at);
  return whole;
}

/** Null where the data are damaged, or the browser is from before 2023 and knows no such streams. */
async function inflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array | null> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      size += part.value.length;
      if (size > LARGEST_FILE) throw new UnreadableFilm('too_large');
      parts.push(part.value);
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  } catch (error) {
    if (error instanceof UnreadableFilm) throw error;
    return null;
  }
}

export interface Size {
  width: number;
  height: number;
}

/** Refuse before anything is decoded or allocated. */
export function checked(header: DataSet): Size {
  if (!header.elements[TAG.pixels]) throw new UnreadableFilm('no_pixels');
  if (Number(text(header, TAG.frames)) > 1) throw new UnreadableFilm('multi_frame');
  const height = header.uint16(TAG.rows);
  const width = header.uint16(TAG.columns);
  if (!width || !height) throw new UnreadableFilm('damaged', 'no Rows and Columns');
  if (width * height > LARGEST_PICTURE) throw new UnreadableFilm('too_large');
  return { width, height };
}

export const code = (header: DataSet, tag: string): string | null => codeString(header.string(tag));

/** The first item of a sequence. */
export const itemOf = (header: DataSet, tag: string): DataSet | undefined => header.elements[tag]?.items?.[0]?.dataSet;
