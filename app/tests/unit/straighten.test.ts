import { describe, expect, test } from 'vitest';
import { type Corners, type Film, inverted } from '../../src/film/film';
import { filmOf, homography, sensible, straighten, whole } from '../../src/film/straighten';

const film = (width: number, height: number, value: (x: number, y: number) => number): Film => ({
  name: 'film',
  width,
  height,
  pixels: Uint8Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width))),
  corners: null,
  ageYears: null,
  refusals: [],
  warnings: [],
});

describe('straightening', () => {
  test('the whole picture stays as it is', () => {
    const photo = film(60, 40, (x, y) => (x * 7 + y * 13) % 256);
    const corners: Corners = [
      { x: -0.5, y: -0.5 },
      { x: 59.5, y: -0.5 },
      { x: 59.5, y: 39.5 },
      { x: -0.5, y: 39.5 },
    ];
    const straight = straighten(photo, corners);
    expect([straight.width, straight.height]).toEqual([60, 40]);
    expect(straight.pixels).toEqual(photo.pixels);
  });

  test('the map takes each corner to its corner', () => {
    const corners: Corners = [
      { x: 10, y: 20 },
      { x: 200, y: 5 },
      { x: 220, y: 310 },
      { x: 0, y: 290 },
    ];
    const h = homography(corners, 100, 150);
    [
      [0, 0],
      [100, 0],
      [100, 150],
      [0, 150],
    ].forEach(([x, y], i) => {
      const w = h[6] * x + h[7] * y + 1;
      expect((h[0] * x + h[1] * y + h[2]) / w).toBeCloseTo(corners[i].x + 0.5, 6);
      expect((h[3] * x + h[4] * y + h[5]) / w).toBeCloseTo(corners[i].y + 0.5, 6);
    });
  });

  test('crossed corners are not sensible', () => {
    const good = whole({ width: 200, height: 200 });
    expect(sensible(good)).toBe(true);
    expect(sensible([good[1], good[0], good[2], good[3]])).toBe(false);
  });
});

describe('black and white of a photographed film', () => {
  /** Dark lungs and air beside the neck, a bright spine; all in a rim of light. */
  const chest = film(400, 500, (x, y) => {
    if (x < 16 || y < 20 || x > 384 || y > 480) return 250;
    if (y < 80 && (x < 80 || x > 320)) return 10;
    return Math.abs(x - 200) < 30
      ? 200
      : y > 120 && y < 330 && Math.abs(x - 200) > 40 && Math.abs(x - 200) < 140
        ? 40
        : 120;
  });
  const corners = whole(chest);

  test('stay as they are where bone is white', () => {
    expect(filmOf(chest, corners).pixels).toEqual(straighten(chest, corners).pixels);
  });

  test('are turned where bone is black, whatever light lies around', () => {
    const negative = inverted(chest);
    expect(filmOf(negative, corners).pixels).toEqual(inverted(straighten(negative, corners)).pixels);
  });
});
