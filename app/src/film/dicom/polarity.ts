import type { Remark } from '../../contract/codes';
import { inverts } from '../../contract/polarity';

/** The film bone white: MONOCHROME1 inverted, unless the pixels contradict it; and what to warn of. */
export function boneWhite(
  grey: Uint8Array<ArrayBuffer>,
  width: number,
  height: number,
  photometric: string | null,
): { pixels: Uint8Array<ArrayBuffer>; warnings: Remark[] } {
  const polarity = inverts(photometric, grey, width, height);
  const pixels = polarity.inverts ? grey.map((value) => 255 - value) : grey;
  return { pixels, warnings: polarity.warnings };
}
