/** A picture that the browser opens, as grey levels. */
import { MOST_PIXELS, UnreadableFilm } from './film';

/** @throws UnreadableFilm with code `not_a_picture` */
export async function bitmapOf(file: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, { colorSpaceConversion: 'none' });
  } catch {
    throw new UnreadableFilm('not_a_picture');
  }
}

/** RGBA of a bitmap on black, like the dark around a film; reduced to `most` pixels. */
export function drawn(bitmap: ImageBitmap, most = MOST_PIXELS): ImageData {
  const scale = Math.min(1, Math.sqrt(most / (bitmap.width * bitmap.height)));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw new UnreadableFilm('too_large');
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/** Luma of ITU-R BT.601 in the integers that Pillow uses, so that both read the same grey. */
export function grey(rgba: Uint8ClampedArray): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(rgba.length / 4);
  for (let index = 0; index < out.length; index++) {
    const at = index * 4;
    out[index] = (rgba[at] * 19595 + rgba[at + 1] * 38470 + rgba[at + 2] * 7471 + 0x8000) >> 16;
  }
  return out;
}
