/** Numbers of a DICOM header as they are written, whatever value representation they were given. */
import type { DataSet } from 'dicom-parser';

/** Decimal String (PS3.5 6.2, VR DS). */
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** The values of a Decimal String: NaN for each that is no number, none for an empty element. */
export function decimals(header: DataSet, tag: string): number[] {
  const element = header.elements[tag];
  if (!element) return [];
  const bytes = header.byteArray.subarray(element.dataOffset, element.dataOffset + element.length);
  const parts = Array.from(bytes, (byte) => String.fromCharCode(byte))
    .join('')
    .split('\\')
    .map((part) => part.replace(/^[ \0]+|[ \0]+$/g, ''));
  return parts.some(Boolean) ? parts.map((part) => (DECIMAL.test(part) ? Number(part) : NaN)) : [];
}

/** The values of a US, SS or OW element as unsigned words; none where it is missing. */
export function words(header: DataSet, tag: string): Uint16Array {
  const count = Math.floor((header.elements[tag]?.length ?? 0) / 2);
  return Uint16Array.from({ length: count }, (_, index) => header.uint16(tag, index)!);
}

/** The first value of a US or SS element as an unsigned word. */
export const word = (header: DataSet, tag: string, otherwise: number): number => words(header, tag)[0] ?? otherwise;

/** A Code String in upper case; empty where it is missing. */
export const text = (header: DataSet, tag: string): string =>
  (header.string(tag) ?? '').replace(/^[ \0]+|[ \0]+$/g, '').toUpperCase();
