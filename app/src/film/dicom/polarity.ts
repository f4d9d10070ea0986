/** Step 6, polarity: whether the lowest value is white (PS3.3 C.7.6.3.1.2, C.8.11.3.1.2). */
import type { DataSet } from 'dicom-parser';
import { text } from './elements';
import { TAG } from './header';

/** Whether the film is to be inverted: Presentation LUT Shape decides, then Photometric Interpretation. */
export function isInverse(header: DataSet): boolean {
  const shape = text(header, TAG.presentation);
  if (shape === 'IDENTITY' || shape === 'INVERSE') return shape === 'INVERSE';
  return text(header, TAG.photometric) === 'MONOCHROME1';
}
