/** Step 5, values of interest: the VOI LUT or the window (PS3.3 C.11.2). */
import type { DataSet } from 'dicom-parser';
import { type Remark, remark } from '../../contract/codes';
import { decimals, text } from './elements';
import { itemOf, TAG } from './header';
import { lookedUp } from './lookup_table';

/**
 * Measured values through the first VOI LUT, or else the first window that is one; null where the header has neither.
 * `lut_ignored` and `window_ignored` where it has none that can be used.
 */
export function ofInterest(values: Float64Array, header: DataSet): { values: Float64Array | null; remarks: Remark[] } {
  const remarks: Remark[] = [];
  const item = itemOf(header, TAG.voiLut);
  if (item) {
    const through = lookedUp(values, item);
    if (through) return { values: through, remarks };
    remarks.push(remark('lut_ignored'));
  }
  const centers = decimals(header, TAG.center);
  const widths = decimals(header, TAG.width);
  const shape = text(header, TAG.windowFunction) || 'LINEAR';
  const least = shape === 'LINEAR_EXACT' || shape === 'SIGMOID' ? Number.MIN_VALUE : 1;
  for (let i = 0; i < Math.min(centers.length, widths.length); i++) {
    if (Number.isFinite(centers[i]) && widths[i] >= least && widths[i] < Infinity) {
      return { values: windowed(values, centers[i], widths[i], shape), remarks };
    }
  }
  if (centers.length + widths.length > 0) remarks.push(remark('window_ignored'));
  return { values: null, remarks };
}

/** Values in 0..1 (C.11.2.1.2.1, C.11.2.1.3.1, C.11.2.1.3.2). */
function windowed(values: Float64Array, center: number, width: number, shape: string): Float64Array {
  const clipped = (share: number) => Math.min(1, Math.max(0, share));
  if (shape === 'SIGMOID') return values.map((value) => 1 / (1 + Math.exp((-4 * (value - center)) / width)));
  if (shape === 'LINEAR_EXACT') return values.map((value) => clipped((value - center) / width + 0.5));
  if (width === 1) return values.map((value) => Number(value > center - 0.5));
  return values.map((value) => clipped((value - (center - 0.5)) / (width - 1) + 0.5));
}
