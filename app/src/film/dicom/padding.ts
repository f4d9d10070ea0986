/** Step 3, padding: values that fill up the picture and are no part of the film (PS3.3 C.7.5.1.1.2). */
import type { DataSet } from 'dicom-parser';
import { type Remark, remark } from '../../contract/codes';
import { words } from './elements';
import { TAG } from './header';
import { isSigned, withSign } from './sign';

/**
 * Which values are padding (1): they take no contrast and are shown black. `padding_ignored` where the header would take
 * the whole film for padding.
 *
 * @param cells as they are stored with all their bits
 * @param values the stored values of these cells, of `bits` bits
 * @param present which of them occur in the film
 */
export function padding(
  cells: Float64Array,
  values: Float64Array,
  present: Uint8Array,
  bits: number,
  header: DataSet,
): { padded: Uint8Array; remarks: Remark[] } {
  const none = new Uint8Array(cells.length);
  const value = words(header, TAG.padding)[0];
  if (value === undefined) return { padded: none, remarks: [] };
  let ends: Float64Array = Float64Array.of(value, words(header, TAG.paddingLimit)[0] ?? value);
  let among = values;
  if (isSigned(header) || ends.every((end) => end < 2 ** bits)) {
    ends = withSign(
      ends.map((end) => end % 2 ** bits),
      bits,
      header,
    );
  } else among = cells; // more bits than are stored: devices then write the whole cell
  const [low, high] = ends.sort();
  const padded = Uint8Array.from(among, (number) => Number(number >= low && number <= high));
  const left = present.reduce((sum, occurs, index) => sum + Number(occurs && !padded[index]), 0);
  return left < 2 ? { padded: none, remarks: [remark('padding_ignored')] } : { padded, remarks: [] };
}
