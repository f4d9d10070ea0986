/** Step 1, stored bits: which bits of a pixel cell hold its value (PS3.5 8.1.1, PS3.3 C.7.6.3.1). */
import type { DataSet } from 'dicom-parser';
import { type Remark, remark } from '../../contract/codes';
import { word } from './elements';
import { TAG } from './header';

export interface StoredBits {
  values: Float64Array;
  bits: number;
  remarks: Remark[];
}

/**
 * The bits that hold a pixel's value, of cells of `allocated` bits; overlays and whatever else lies around them are
 * left out. `bits_ignored` where the header names bits that a cell lacks: then they are all taken.
 */
export function storedBits(cells: Float64Array, allocated: number, header: DataSet): StoredBits {
  const bits = word(header, TAG.bitsStored, allocated);
  const high = word(header, TAG.highBit, bits - 1);
  if (!(bits > 0 && bits <= high + 1 && high + 1 <= allocated)) {
    return { values: cells, bits: allocated, remarks: [remark('bits_ignored')] };
  }
  // No bit operators: they are signed in JavaScript, and a cell may have 32 bits.
  const below = 2 ** (high + 1 - bits);
  return { values: cells.map((cell) => Math.floor(cell / below) % 2 ** bits), bits, remarks: [] };
}
