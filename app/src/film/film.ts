import type { Remark } from '../contract/codes';

/** Films of more pixels are reduced: a cheap phone has no memory for 100 megapixels. A CR plate has 15, a photo 12. */
export const MOST_PIXELS = 1 << 24;
/** A longer side is drawn or straightened no larger than this. */
export const LONGEST_SIDE = 2048;

/** One film, decoded: what Python calls a `Radiograph`. */
export interface Film {
  name: string;
  width: number;
  height: number;
  /** uint8, row by row, bone white. */
  pixels: Uint8Array<ArrayBuffer>;
  /** Of a film that was photographed, inside the photo; null where the picture is the film. */
  corners: Corners | null;
  /** Of a DICOM header; null where nothing is said. */
  ageYears: number | null;
  /** For what the DICOM header alone refuses the film. */
  refusals: Remark[];
  /** What a person should know of this film. */
  warnings: Remark[];
}

/** A file that cannot be decoded to a film; `codes` are short, stable words. */
export class UnreadableFilm extends Error {
  readonly codes: readonly string[];

  constructor(codes: string | readonly string[], message: string = String(codes)) {
    super(message);
    this.codes = typeof codes === 'string' ? [codes] : codes;
  }
}

/** A point of a film, in pixels. */
export interface Point {
  x: number;
  y: number;
}

/** Top left, top right, bottom right, bottom left. */
export type Corners = [Point, Point, Point, Point];

/** Rotated a quarter clockwise. */
export function rotated(film: Film): Film {
  const { width, height, pixels } = film;
  const out = new Uint8Array(pixels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) out[x * height + (height - 1 - y)] = pixels[y * width + x];
  }
  return { ...film, width: height, height: width, pixels: out, corners: null };
}

/** Black for white. */
export function inverted(film: Film): Film {
  return { ...film, pixels: film.pixels.map((value) => 255 - value) };
}

/** The film on a canvas, no larger than a screen shows it. */
export function paint(film: Film, canvas: HTMLCanvasElement): void {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(film.width, film.height));
  canvas.width = Math.round(film.width * scale);
  canvas.height = Math.round(film.height * scale);
  const context = canvas.getContext('2d')!;
  if (scale === 1) {
    context.putImageData(toImageData(film), 0, 0);
    return;
  }
  const full = new OffscreenCanvas(film.width, film.height);
  full.getContext('2d')!.putImageData(toImageData(film), 0, 0);
  context.imageSmoothingQuality = 'high';
  context.drawImage(full, 0, 0, canvas.width, canvas.height);
}

export function toImageData({ pixels, width, height }: Pick<Film, 'pixels' | 'width' | 'height'>): ImageData {
  const picture = new ImageData(width, height);
  const words = new Uint32Array(picture.data.buffer);
  for (let index = 0; index < pixels.length; index++) words[index] = 0xff000000 | (pixels[index] * 0x010101);
  return picture;
}
