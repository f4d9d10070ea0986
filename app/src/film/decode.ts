import { LARGEST_FILE, LARGEST_PICTURE } from '../contract/limits';
import { type Film, MOST_PIXELS, UnreadableFilm } from './film';
import { photographed } from './straighten';

/** @throws UnreadableFilm */
export async function decode(file: Blob, name: string): Promise<Film> {
  if (file.size === 0) throw new UnreadableFilm('empty');
  if (file.size > LARGEST_FILE) throw new UnreadableFilm('too_large');
  const head = new Uint8Array(await file.slice(0, 132).arrayBuffer());
  if (isDicom(head)) {
    const { decodeDicom } = await import('./dicom/picture');
    return decodeDicom(new Uint8Array(await file.arrayBuffer()), name);
  }
  try {
    return await decodePicture(file, name);
  } catch (error) {
    throw error instanceof UnreadableFilm && error.codes[0] === 'not_a_picture'
      ? new UnreadableFilm(unopened(head))
      : error;
  }
}

/** A DICOM file; old devices leave out the preamble and begin with a tag of group 2 or 8. */
function isDicom(head: Uint8Array): boolean {
  if (String.fromCharCode(...head.subarray(128, 132)) === 'DICM') return true;
  if (head.length < 8 || head[1] !== 0 || (head[0] !== 2 && head[0] !== 8)) return false;
  return explicitVr(head) || (head[6] === 0 && head[7] === 0);
}

/** Why no browser, or not this one, opens a picture: what its first bytes tell. */
function unopened(head: Uint8Array): string {
  const text = String.fromCharCode(...head.subarray(0, 12));
  if (/^(II\*\0|MM\0\*)/.test(text)) return 'tiff';
  return /^....ftyp(hei[cfmsx]|hev[cmsx]|mif1|msf1)/s.test(text) ? 'heic' : 'not_a_picture';
}

/** Whether the element that begins at `at` names its value representation in two capital letters. */
export function explicitVr(bytes: Uint8Array, at = 0): boolean {
  return [bytes[at + 4], bytes[at + 5]].every((letter) => letter >= 65 && letter <= 90);
}

/** JPEG, PNG, WebP and whatever else this browser opens, upright as its EXIF header says. */
async function decodePicture(file: Blob, name: string): Promise<Film> {
  const bitmap = await bitmapOf(file);
  try {
    if (bitmap.width * bitmap.height > LARGEST_PICTURE) throw new UnreadableFilm('too_large');
    const { data, width, height } = drawn(bitmap);
    const film = { name, width, height, pixels: grey(data), corners: null, ageYears: null, refusals: [], warnings: [] };
    return { ...film, corners: photographed(film) };
  } finally {
    bitmap.close();
  }
}

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
