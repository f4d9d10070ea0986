import { LARGEST_FILE, LARGEST_PICTURE } from '../contract/limits';
import { isDicom } from './dicom/signature';
import { type Film, UnreadableFilm } from './film';
import { bitmapOf, drawn, grey } from './pixels';
import { photographed } from './corners';

/** @throws UnreadableFilm */
export async function decode(file: Blob, name: string): Promise<Film> {
  if (file.size === 0) throw new UnreadableFilm('empty');
  if (file.size > LARGEST_FILE) throw new UnreadableFilm('too_large');
  const head = new Uint8Array(await file.slice(0, 132).arrayBuffer());
  if (isDicom(head)) {
    const { decodeDicom } = await import('./dicom/decode');
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

/** Why no browser, or not this one, opens a picture: what its first bytes tell. */
function unopened(head: Uint8Array): string {
  const text = String.fromCharCode(...head.subarray(0, 12));
  if (/^(II\*\0|MM\0\*)/.test(text)) return 'tiff';
  return /^....ftyp(hei[cfmsx]|hev[cmsx]|mif1|msf1)/s.test(text) ? 'heic' : 'not_a_picture';
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
