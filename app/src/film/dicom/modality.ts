/** Step 4, modality: from stored values to what the device measured (PS3.3 C.11.1). */
import type { DataSet } from 'dicom-parser';
import { type Remark, remark } from '../../contract/codes';
import { decimals } from './elements';
import { itemOf, TAG } from './header';
import { lookedUp } from './lookup_table';

/**
 * Stored values through the Modality LUT or the rescale. A rescale with an empty slope or intercept is none.
 * `lut_ignored` and `rescale_ignored` tell of a table that is damaged, and of a slope that is 0 or no number: the step is
 * left out.
 */
export function measured(values: Float64Array, header: DataSet): { values: Float64Array; remarks: Remark[] } {
  const remarks: Remark[] = [];
  const item = itemOf(header, TAG.modalityLut);
  if (item) {
    const through = lookedUp(values, item);
    if (through) return { values: through, remarks };
    remarks.push(remark('lut_ignored'));
  }
  const slope = decimals(header, TAG.slope)[0];
  const intercept = decimals(header, TAG.intercept)[0];
  if (slope === undefined || intercept === undefined) return { values, remarks };
  if (slope === 0 || !Number.isFinite(slope) || !Number.isFinite(intercept)) {
    return { values, remarks: [...remarks, remark('rescale_ignored')] };
  }
  return { values: values.map((value) => value * slope + intercept), remarks };
}
