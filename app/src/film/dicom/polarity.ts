import { inverts } from '../../contract/polarity';

/** The film bone white: MONOCHROME1 inverted, unless the pixels contradict it; and the codes of what to warn of. */
export function boneWhite(
  grey: Uint8Array<ArrayBuffer>,
  width: number,
  height: number,
  photometric: string | null,
): { pixels: Uint8Array<ArrayBuffer>; warnings: string[] } {
  const polarity = inverts(photometric, grey, width, height);
  const pixels = polarity.inverts ? grey.map((value) => 255 - value) : grey;
  return { pixels, warnings: polarity.warnings.map(({ code }) => code) };
}
