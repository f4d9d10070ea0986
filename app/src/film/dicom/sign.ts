/** Step 2, sign: whether the highest stored bit is a sign (Pixel Representation, PS3.3 C.7.6.3.1). */
import type { DataSet } from 'dicom-parser';
import { word } from './elements';
import { TAG } from './header';

export const isSigned = (header: DataSet): boolean => word(header, TAG.signed, 0) === 1;

/** The stored values: two's complement of `bits` bits if the header says so. */
export function withSign(stored: Float64Array, bits: number, header: DataSet): Float64Array {
  if (!isSigned(header)) return stored;
  return stored.map((value) => (value >= 2 ** (bits - 1) ? value - 2 ** bits : value));
}
