import { describe, expect, test } from 'vitest';
import { findCorners, photographed } from '../../src/film/corners';
import type { Corners, Film, Point } from '../../src/film/film';
import { whole } from '../../src/film/straighten';

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
    expect(photographed(digital)).toBe(null);
  });

  test('the whole picture where there is no film to be seen', () => {
    const photo = film(300, 400, () => 128);
    expect(findCorners(photo)).toEqual(whole(photo));
  });

  test('the film and not the larger light box, which is as bright as the film is not', () => {
    const box: Corners = [
      { x: 30, y: 40 },
      { x: 600, y: 30 },
      { x: 620, y: 770 },
      { x: 20, y: 760 },
    ];
    const photo = film(640, 800, (x, y) =>
      inside(corners, x, y) ? Math.min(200, Math.max(25, chest(x, y))) : inside(box, x, y) ? 240 : 60,
    );
    const found = findCorners(photo);
    expect(found).toEqual(photographed(photo));
    found.forEach((point, i) => {
      expect(Math.hypot(point.x - corners[i].x, point.y - corners[i].y)).toBeLessThan(3);
    });
  });

  test('a film that fills a sixth of the photo', () => {
    const far = corners.map(({ x, y }) => ({ x: 180 + 0.46 * x, y: 250 + 0.46 * y })) as Corners;
    const photo = film(640, 800, (x, y) =>
      inside(far, x, y) ? Math.min(200, Math.max(25, chest((x - 180) / 0.46, (y - 250) / 0.46))) : 235,
    );
    findCorners(photo).forEach((point, i) => {
      expect(Math.hypot(point.x - far[i].x, point.y - far[i].y)).toBeLessThan(3);
    });
  });

  test('nothing that has no straight sides was photographed, however even the ground', () => {
    const lung = (x: number, y: number) => (Math.abs(x - 320) / 200) ** 5 + (Math.abs(y - 400) / 260) ** 5 < 1;
    expect(photographed(film(640, 800, (x, y) => (lung(x, y) ? 40 : 170)))).toBe(null);
  });

  test('one of two films that lie side by side', () => {
    const left: Corners = [
      { x: 40, y: 100 },
      { x: 300, y: 100 },
      { x: 300, y: 500 },
      { x: 40, y: 500 },
    ];
    const right = left.map(({ x, y }) => ({ x: x + 275, y })) as Corners;
    const photo = film(640, 600, (x, y) =>
      inside(left, x, y) || inside(right, x, y) ? Math.min(200, Math.max(25, chest(x, y))) : 240,
    );
    const found = findCorners(photo);
    const near = (corners: Corners) =>
      corners.every((point, i) => Math.hypot(point.x - found[i].x, point.y - found[i].y) < 3);
    expect([near(left), near(right)].filter(Boolean)).toEqual([true]);
  });
});
