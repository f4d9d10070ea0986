/** A lookup table of a DICOM header: its descriptor and data (PS3.3 C.11.1.1.1, C.11.2.1.1, C.7.6.3.1.5). */
import type { DataSet } from 'dicom-parser';
import { words } from './elements';
import { TAG } from './header';

/**
 * What a table holds of each value; values beyond its ends get its first or last entry. Null where there is no table, or
 * not as many entries as its descriptor promises.
 *
 * @param values all that can occur: where some are negative, the table's first value has a sign too (C.11.1.1.1), however
 *   the file declares it; and where none would reach it otherwise
 */
export function lookedUp(
  values: Float64Array,
  header: DataSet,
  descriptorTag: string = TAG.lutDescriptor,
  dataTag: string = TAG.lutData,
): Float64Array | null {
  const descriptor = words(header, descriptorTag);
  if (descriptor.length !== 3) return null;
  const count = descriptor[0] || 65536;
  const entries = entriesOf(header, dataTag, count);
  if (!entries) return null;
  const highest = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const signed = descriptor[1] >= 32768 && (descriptor[1] > highest || values.some((value) => value < 0));
  const first = signed ? descriptor[1] - 65536 : descriptor[1];
  return values.map((value) => entries[Math.min(count - 1, Math.max(0, Math.floor(value + 0.5) - first))]);
}

/** In words, or two in a word, the lower byte first. */
function entriesOf(header: DataSet, tag: string, count: number): ArrayLike<number> | null {
  const found = words(header, tag);
  if (found.length >= count) return found;
  const packed = Uint8Array.from({ length: 2 * found.length }, (_, index) => found[index >> 1] >> (8 * (index & 1)));
  return packed.length >= count ? packed : null;
}
