/** Which way round the greys of a film are: what the header says, unless the picture contradicts it. */
import rule from '../../../src/ai_for_sudan/contract/polarity.json';
import { type Remark, remark } from './codes';
import { resized } from './resize';

/** uint8 `height * width` -> uint8 64 * 64, as the rule looks at it. */
export const thumbnail = (film: Uint8Array, width: number, height: number): Uint8Array =>
  resized(film, { width, height }, { width: rule.side, height: rule.side });

/** Whether, on a thumbnail, spine and heart are darker than lungs and the air above shoulders. */
export function looksNegative(small: Uint8Array): boolean {
  const mean = (blocks: number[][]): number => {
    const means = blocks.map(([top, bottom, left, right]) => {
      let sum = 0;
      for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += small[y * rule.side + x];
      return sum / ((bottom - top) * (right - left));
    });
    return means.reduce((sum, value) => sum + value, 0) / means.length;
  };
  const [middle, lungs, above] = [mean(rule.middle), mean(rule.lungs), mean(rule.above)];
  const range = small.reduce((a, b) => Math.max(a, b), 0) - small.reduce((a, b) => Math.min(a, b), 255);
  return middle - lungs + (middle - above) < rule.negative_below * range;
}

/** Whether a film is as good as blank: its greys hardly vary. */
export function showsNothing(film: Uint8Array, width: number, height: number): boolean {
  const small = thumbnail(film, width, height);
  const mean = small.reduce((sum, value) => sum + value, 0) / small.length;
  const variance = small.reduce((sum, value) => sum + (value - mean) ** 2, 0) / small.length;
  return Math.sqrt(variance) < 255 * rule.nothing_below;
}

/** Whether a film (uint8, the stored greys) must be inverted to be bone white, and what to say of it. */
export function inverts(
  photometric: string | null,
  film: Uint8Array,
  width: number,
  height: number,
): { inverts: boolean; warnings: Remark[] } {
  if (photometric !== 'MONOCHROME1' && photometric !== 'MONOCHROME2') return { inverts: false, warnings: [] };
  const inverted = photometric === 'MONOCHROME1';
  const small = thumbnail(film, width, height);
  if (!looksNegative(inverted ? small.map((value) => 255 - value) : small)) return { inverts: inverted, warnings: [] };
  const other = inverted ? 'MONOCHROME2' : 'MONOCHROME1';
  return { inverts: false, warnings: [remark('header_contradicts_pixels', { photometric, other })] };
}
