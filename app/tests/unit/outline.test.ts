import { expect, test } from 'vitest';
import { outlines } from '../../src/reader/outline';

const map = (side: number, inside: (x: number, y: number) => boolean) =>
  Float32Array.from({ length: side * side }, (_, i) => Number(inside(i % side, Math.floor(i / side))));

function area(line: number[]): number {
  let twice = 0;
  for (let i = 0; i < line.length; i += 2) {
    const [u, v] = [line[(i + 2) % line.length], line[(i + 3) % line.length]];
    twice += line[i] * v - u * line[i + 1];
  }
  return Math.abs(twice) / 2;
}

test('two lungs are two closed lines around what lies above the level', () => {
  const lungs = map(112, (x, y) => Math.hypot(x - 30, (y - 56) / 2) < 15 || Math.hypot(x - 82, (y - 56) / 2) < 15);
  const found = outlines(lungs, [112, 112], 0.5);
  expect(found.length).toBe(2);
  const true_area = (Math.PI * 15 * 30) / 112 ** 2;
  for (const line of found) expect(area(line)).toBeCloseTo(true_area, 2);
  expect(Math.min(...found[0].filter((_, i) => i % 2 === 0))).toBeCloseTo(15.5 / 112, 2);
});

test('what reaches the edge of the film is closed there; specks and nothing give no line', () => {
  const [line, ...others] = outlines(
    map(112, (x) => x < 56),
    [112, 112],
    0.5,
  );
  expect(others).toEqual([]);
  expect(area(line)).toBeCloseTo(0.5, 2);
  expect(
    outlines(
      map(112, (x, y) => x === 5 && y === 5),
      [112, 112],
      0.5,
    ),
  ).toEqual([]);
  expect(outlines(new Float32Array(112 * 112), [112, 112], 0.5)).toEqual([]);
});

test('two regions that touch at a corner stay closed', () => {
  const found = outlines(
    map(40, (x, y) => (x < 20 && y < 20) || (x >= 20 && y >= 20)),
    [40, 40],
    0.5,
  );
  for (const line of found) expect(area(line)).toBeGreaterThan(0.2);
});
