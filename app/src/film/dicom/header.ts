/** What a DICOM header says: whether the file is a film at all, whose, and of what. */
import { type DataSet, parseDicom } from 'dicom-parser';
import { ageYears, EXAMINED } from '../../contract/ages';
import { codeString, LONGEST_MEANING } from '../../contract/headers';
import { LARGEST_PICTURE } from '../../contract/limits';
import { explicitVr } from '../decode';
import { UnreadableFilm } from '../film';

export const IMPLICIT = '1.2.840.10008.1.2';
const EXPLICIT = '1.2.840.10008.1.2.1';

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

export function parsed(bytes: Uint8Array): DataSet {
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
export function checked(header: DataSet): { width: number; height: number } {
  if (!header.elements[TAG.pixels]) throw new UnreadableFilm('no_pixels');
  if ((header.intString(TAG.frames) ?? 1) > 1) throw new UnreadableFilm('multi_frame');
  const height = header.uint16(TAG.rows);
  const width = header.uint16(TAG.columns);
  if (!width || !height) throw new UnreadableFilm('damaged', 'no Rows and Columns');
  if (width * height > LARGEST_PICTURE) throw new UnreadableFilm('too_large');
  return { width, height };
}

export const code = (header: DataSet, tag: string): string | null => codeString(header.string(tag));

export const text = (header: DataSet, tag: string): string => (header.string(tag) ?? '').trim().toUpperCase();
