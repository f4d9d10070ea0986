import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { FILMS, kept, test } from './harness';

interface Expected {
  status: string;
  probability: number;
  codes: string[];
  heatmap: number[];
}

const PROBABILITY = 1e-4;
const HEATMAP = 1e-3;

test('the browser says of every film what Python says', async ({ page }) => {
  const expected: Record<string, Expected> = JSON.parse(readFileSync(join(FILMS, 'parity/expected.json'), 'utf8'));
  const names = Object.keys(expected);
  expect(names.length).toBeGreaterThanOrEqual(50);
  await page.locator('[data-input=gallery]').setInputFiles(names.map((name) => join(FILMS, 'parity', name)));
  await page.getByText(`${names.length} films read.`).waitFor();
  const rows = await kept(page);
  expect(rows.length).toBe(names.length);
  let worst = { probability: 0, heatmap: 0 };
  for (const { value, film } of rows) {
    const python = expected[value.file];
    expect([value.file, value.status, value.codes]).toEqual([value.file, python.status, python.codes]);
    worst.probability = Math.max(worst.probability, Math.abs(value.probability - python.probability));
    const differences = python.heatmap.map((heat, index) => Math.abs(heat - film.value.heatmap[index]));
    expect(film.value.heatmap.length).toBe(python.heatmap.length);
    worst.heatmap = Math.max(worst.heatmap, ...differences);
  }
  console.log(`${names.length} films, worst difference: probability ${worst.probability}, heatmap ${worst.heatmap}`);
  expect(worst.probability).toBeLessThan(PROBABILITY);
  expect(worst.heatmap).toBeLessThan(HEATMAP);
});
