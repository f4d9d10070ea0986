import { describe, expect, test } from 'vitest';
import type { Corners, Film, Point } from '../../src/film/film';
import { findCorners, photographed, homography, sensible, straighten, whole } from '../../src/film/straighten';

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

const inside = (corners: Corners, x: number, y: number): boolean =>
  corners.every((p: Point, i: number) => {
    const q = corners[(i + 1) % 4];
    return (q.x - p.x) * (y - p.y) - (q.y - p.y) * (x - p.x) >= 0;
  });

/** Something like a chest: two dark lungs between bright bone, in a dark border. */
const chest = (x: number, y: number): number => 70 + 60 * Math.sin(x / 40) + 40 * Math.cos(y / 55);

describe('finding the corners of a film', () => {
  const corners: Corners = [
    { x: 90, y: 120 },
    { x: 500, y: 80 },
    { x: 560, y: 690 },
    { x: 60, y: 720 },
  ];
  test.each([
    ['on a light box', 245],
    ['on a dark table', 5],
  ])('%s', (_, ground) => {
    const photo = film(640, 800, (x, y) => (inside(corners, x, y) ? Math.min(200, Math.max(25, chest(x, y))) : ground));
    findCorners(photo).forEach((found, i) => {
      expect(Math.hypot(found.x - corners[i].x, found.y - corners[i].y)).toBeLessThan(12);
    });
  });

  test.each([
    ['on a light box', 245],
    ['on a dark table', 5],
  ])('a film %s surely was photographed', (_, ground) => {
    const photo = film(640, 800, (x, y) => (inside(corners, x, y) ? Math.min(200, Math.max(25, chest(x, y))) : ground));
    expect(photographed(photo)).toEqual(findCorners(photo));
  });

  test('a film that fills the picture was not, whatever dark and light regions it has', () => {
    const lungs: Corners = [
      { x: 150, y: 200 },
      { x: 480, y: 190 },
      { x: 500, y: 600 },
      { x: 120, y: 610 },
    ];
    const digital = film(640, 800, (x, y) => (inside(lungs, x, y) ? 30 : 90 + (150 * y) / 800));
    expect(findCorners(digital)).not.toEqual(whole(digital));
    expect(photographed(digital)).toBe(null);
  });

  test('the whole picture where there is no film to be seen', () => {
    const photo = film(300, 400, () => 128);
    expect(findCorners(photo)).toEqual(whole(photo));
  });
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
