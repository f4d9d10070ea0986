/** What a DICOM header says: whether the file is a film at all, whose, and of what. */
import { type DataSet, parseDicom } from 'dicom-parser';
import { ageYears, EXAMINED } from '../../contract/ages';
import type { Remark } from '../../contract/codes';
import { codeString, LONGEST_MEANING, refusals } from '../../contract/headers';
import { LARGEST_FILE, LARGEST_PICTURE } from '../../contract/limits';
import { explicitVr } from '../decode';
import { UnreadableFilm } from '../film';

export const IMPLICIT = '1.2.840.10008.1.2';
const EXPLICIT = '1.2.840.10008.1.2.1';
const DEFLATED = '1.2.840.10008.1.2.1.99';

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

export function viewOf(header: DataSet): string | null {
  const coded = header.elements[TAG.viewCode]?.items?.[0]?.dataSet;
  return code(header, TAG.view) ?? codeString(coded?.string(TAG.codeMeaning), LONGEST_MEANING);
}

export function ageOf(header: DataSet): number | null {
  const dates = EXAMINED.map((keyword) => code(header, TAG[keyword as keyof typeof TAG] as string));
  return ageYears(code(header, TAG.age), code(header, TAG.born), dates.find((date) => date !== null) ?? null);
}

/** @throws UnreadableFilm; of a header that is cut short, with what its beginning refuses */
export async function parsed(bytes: Uint8Array): Promise<DataSet> {
  const preamble = String.fromCharCode(...bytes.subarray(128, 132)) === 'DICM';
  const inflated = preamble && isDeflated(bytes) ? await inflatedFrom(bytes) : null;
  try {
    if (inflated) return parseDicom(bytes, { inflater: () => inflated });
    if (preamble) return parseDicom(bytes);
    return parseDicom(bytes, { TransferSyntaxUID: explicitVr(bytes) ? EXPLICIT : IMPLICIT });
  } catch (error) {
    const { exception, dataSet } = error as { exception?: unknown; dataSet?: DataSet };
    const remarks = dataSet ? remarksOf(dataSet) : [];
    if (remarks.length > 0) throw new UnreadableFilm(remarks.map((remark) => remark.code));
    const begun = dataSet && Object.keys(dataSet.elements).length > 0;
    const reason = dataSet?.elements[TAG.rows] ? 'truncated' : begun ? 'no_pixels' : 'damaged';
    throw new UnreadableFilm(reason, String(exception ?? error));
  }
}

/** For which reasons the header alone rules out a frontal chest film. */
export const remarksOf = (header: DataSet): Remark[] =>
  refusals(code(header, TAG.modality), code(header, TAG.bodyPart), viewOf(header));

/** Where the meta header of a file ends (PS3.10 7.1): behind the length of group 2, which is its first element. */
function metaEnd(bytes: Uint8Array): number {
  return 144 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(140, true);
}

function isDeflated(bytes: Uint8Array): boolean {
  if (bytes.length < 144) return false;
  return new TextDecoder('latin1').decode(bytes.subarray(144, metaEnd(bytes))).includes(DEFLATED);
}

/** The whole file with its data set inflated (PS3.5 A.5), at most as large as any film. */
async function inflatedFrom(bytes: Uint8Array): Promise<Uint8Array> {
  const end = metaEnd(bytes);
  // Browsers take for junk, and lose the end of the data over it, what may follow them: padding, or gzip's check sum.
  let body: Uint8Array | null = null;
  for (const behind of [0, 1, 8]) body ??= await inflated(bytes.slice(end, bytes.length - behind));
  if (!body) throw new UnreadableFilm('damaged', 'the deflated data set is damaged');
  const whole = new Uint8Array(end + body.length);
  whole.set(bytes.subarray(0, end));
  whole.set(body, end);
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

/** Refuse before anything is decoded or allocated. */
export function checked(header: DataSet): { width: number; height: number } {
  if (!header.elements[TAG.pixels]) throw new UnreadableFilm('no_pixels');
  const frames = text(header, TAG.frames);
  if (!/^\d*$/.test(frames)) throw new UnreadableFilm('truncated', `${frames} frames`);
  if (Number(frames) > 1) throw new UnreadableFilm('multi_frame');
  const height = header.uint16(TAG.rows);
  const width = header.uint16(TAG.columns);
  if (!width || !height) throw new UnreadableFilm('damaged', 'no Rows and Columns');
  if (width * height > LARGEST_PICTURE) throw new UnreadableFilm('too_large');
  return { width, height };
}

export const code = (header: DataSet, tag: string): string | null => codeString(header.string(tag));

export const text = (header: DataSet, tag: string): string => (header.string(tag) ?? '').trim().toUpperCase();
