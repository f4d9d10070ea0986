import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { FILMS, kept, read, test } from './harness';

interface Expected {
  height: number;
  width: number;
  warnings: [code: string, text: string][];
}

const folder = join(FILMS, 'dicom');
const expected: Record<string, Expected> = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));
/** Grey levels: float32 in Python and float64 in the browser round apart by one. */
const APART = 1;

test.for(Object.keys(expected))('%s shows the pixels that Python shows', async (name, { page }) => {
  await read(page, join(folder, `${name}.dcm`));
  expect(await page.locator('.reading.failed').count()).toBe(0);
  const shown = await page.locator('canvas.film').evaluate((canvas: HTMLCanvasElement) => {
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    let text = '';
    for (let at = 0; at < data.length; at += 4) text += String.fromCharCode(data[at]);
    return { width: canvas.width, height: canvas.height, grey: btoa(text) };
  });
  const grey = Buffer.from(shown.grey, 'base64');
  const python = readFileSync(join(folder, `${name}.grey`));
  expect([shown.width, shown.height]).toEqual([expected[name].width, expected[name].height]);
  let worst = 0;
  for (const [i, value] of python.entries()) worst = Math.max(worst, Math.abs(value - grey[i]));
  expect(worst).toBeLessThanOrEqual(APART);
  const rows = await kept(page);
  const row = rows.find(({ value }) => value.file === `${name}.dcm`);
  expect(row.value.warnings).toEqual(expected[name].warnings.map(([code, text]) => ({ code, text })));
  expect(row.value.age).toBe(3);
});

test('a header that names a knee refuses, and an adult is warned of', async ({ page }) => {
  await read(page, join(FILMS, 'knee.dcm'));
  await page.locator('.reading.refused').waitFor();
  expect(await page.locator('.reading').textContent()).toContain('The file names another part of the body.');
  expect(await page.locator('.reading .warned').textContent()).toContain('outside 1 to 5 years');
});

test('a coded lateral view refuses', async ({ page }) => {
  await read(page, join(FILMS, 'side.dcm'));
  await page.locator('.reading.refused').waitFor();
  expect(await page.locator('.reading').textContent()).toContain('The file says that this is a lateral view.');
});
