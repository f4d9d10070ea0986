/** All that a film's file holds, before any window: what Python calls a `FullRange`. */
export interface FullRange {
  width: number;
  height: number;
  /** uint16, row by row, bone white. */
  values: Uint16Array<ArrayBuffer>;
  /** The largest of them; the smallest is 0. */
  top: number;
  /** The largest value that the film as it was read shows black, and the smallest that it shows white. */
  black: number;
  white: number;
}

export interface Window {
  /** The value that is shown half way between black and white. */
  centre: number;
  /** From the value that is shown black to the one that is shown white. */
  width: number;
}

/** Ends of the viewer's sliders in per cent, of which 100 leaves the film as it was read. */
export const LEAST = 40;
export const BRIGHTEST = 250;
export const SHARPEST = 300;

/** What the server sends of a film (`packed` of `clinic/web/films.py`). */
export function unpacked(sent: ArrayBuffer): FullRange {
  const [width, height, black, white] = new Uint32Array(sent, 0, 4);
  const values = new Uint16Array(sent, 16, width * height);
  let top = values[0];
  for (let i = 1; i < values.length; i++) {
    values[i] += values[i - 1];
    if (values[i] > top) top = values[i];
  }
  return { width, height, values, top, black, white };
}

/**
 * The window that the sliders ask for. They begin at the film's own and reach all of its values: brightness moves the
 * level to either end, and the least contrast widens the window until nothing is clipped.
 */
export function windowOf(
  { black, white, top }: Omit<FullRange, 'values'>,
  brightness: number,
  contrast: number,
): Window {
  const between = (from: number, to: number, share: number) => from + (to - from) * share;
  const own = (black + white) / 2;
  const centre =
    brightness > 100
      ? between(own, 0, (brightness - 100) / (BRIGHTEST - 100))
      : between(own, top, (100 - brightness) / (100 - LEAST));
  const whole = 2 * Math.max(centre, top - centre);
  const width =
    contrast > 100
      ? ((white - black) * 100) / contrast
      : between(white - black, whole, (100 - contrast) / (100 - LEAST));
  return { centre, width };
}

/** The film through a window: uint8, row by row, bone white. */
export function windowed({ values, top }: Pick<FullRange, 'values' | 'top'>, window: Window): Uint8Array<ArrayBuffer> {
  const { centre, width } = window;
  // Once for each value, not for each pixel: a film has millions.
  const grey = Uint8ClampedArray.from({ length: top + 1 }, (_, value) => 255 * ((value - centre) / width + 0.5));
  const pixels = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) pixels[i] = grey[values[i]];
  return pixels;
}
