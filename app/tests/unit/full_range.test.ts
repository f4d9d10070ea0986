import { expect, test } from 'vitest';
import { BRIGHTEST, type FullRange, LEAST, SHARPEST, unpacked, windowed, windowOf } from '../../src/film/full_range';

/** As the server packs a film: four uint32, then differences as uint16. */
function packed(width: number, height: number, black: number, white: number, values: number[]): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(16 + 2 * values.length));
  for (const [i, value] of [width, height, black, white].entries()) view.setUint32(4 * i, value, true);
  for (const [i, value] of values.entries()) view.setUint16(16 + 2 * i, value - (values[i - 1] ?? 0), true);
  return view.buffer;
}

const VALUES = [0, 999, 1000, 1500, 2000, 3000, 4095, 17];
const FILM: FullRange = unpacked(packed(4, 2, 1000, 2000, VALUES));
const shown = (brightness: number, contrast: number) => [...windowed(FILM, windowOf(FILM, brightness, contrast))];

test('a film is unpacked as it was, also where values fall and where a difference has 16 bits', () => {
  expect(FILM).toEqual({ width: 4, height: 2, values: Uint16Array.from(VALUES), top: 4095, black: 1000, white: 2000 });
  expect([...unpacked(packed(3, 1, 0, 65535, [65535, 0, 40000])).values]).toEqual([65535, 0, 40000]);
});

test('the sliders begin at the window of the film itself, which clips', () => {
  expect(windowOf(FILM, 100, 100)).toEqual({ centre: 1500, width: 1000 });
  expect(shown(100, 100)).toEqual([0, 0, 0, 128, 255, 255, 255, 0]);
});

test('the least contrast clips nothing, wherever the level is', () => {
  for (const brightness of [LEAST, 100, 170, BRIGHTEST]) {
    const { centre, width } = windowOf(FILM, brightness, LEAST);
    expect(centre - width / 2).toBeLessThanOrEqual(0);
    expect(centre + width / 2).toBeGreaterThanOrEqual(4095);
  }
  const [darkest, , black, middle, white, brighter, brightest, dark] = shown(100, LEAST);
  const rising = [darkest, dark, black, middle, white, brighter, brightest];
  expect(rising.every((grey, i) => i === 0 || grey > rising[i - 1])).toBe(true);
});

test('brightness moves the level to either end, and more contrast narrows the window around it', () => {
  expect(windowOf(FILM, BRIGHTEST, 100)).toEqual({ centre: 0, width: 1000 });
  expect(windowOf(FILM, LEAST, 100)).toEqual({ centre: 4095, width: 1000 });
  expect(windowOf(FILM, 100, SHARPEST)).toEqual({ centre: 1500, width: 1000 / 3 });
  expect(shown(150, 100)[3]).toBeGreaterThan(128);
  expect(shown(70, 100)[3]).toBeLessThan(128);
});
