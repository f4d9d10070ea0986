import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { FILMS, kept, test } from './harness';

interface Expected {
  status: string;
  probability: number | null;
  codes: string[];
  warnings: string[];
  heatmap: number[] | null;
}

const PROBABILITY = 1e-4;
const HEATMAP = 1e-3;
/** Files of pydicom that are no films, in which the two programs differ and may. */
const UNLIKE = [
  // The header contradicts the JPEG 2000 stream about the sign of its values.
  'J2K_pixelrep_mismatch.dcm',
  // It names explicit value representations and has implicit ones.
  'SC_rgb_jpeg.dcm',
  // Lossless JPEG in colour, for which Python has no decoder.
  'SC_rgb_jpeg_gdcm.dcm',
  // Doses of 10 x 10 values, refused in both: the gate's further codes come in another order.
  'rtdose_1frame.dcm',
  'rtdose_expb_1frame.dcm',
  'rtdose_rle_1frame.dcm',
];

test.for(['parity', 'pydicom'])('the browser says of every film what Python says: %s', async (set, { page }) => {
  const folder = join(FILMS, set);
  const expected: Record<string, Expected> = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));
  const names = Object.keys(expected);
  expect(names.length).toBeGreaterThanOrEqual(50);
  await page.locator('[data-input=gallery]').setInputFiles(names.map((name) => join(folder, name)));
  await page.getByText(`${names.length} films read.`).waitFor();
  const rows = await kept(page);
  expect(rows.length).toBe(names.length);
  const worst = { probability: 0, heatmap: 0 };
  const said: Record<string, unknown> = {};
  const wanted: Record<string, unknown> = {};
  for (const { value, film } of rows) {
    const python = expected[value.file];
    const warnings = value.warnings.map(({ code }: { code: string }) => code);
    wanted[value.file] = [python.status, python.codes, python.warnings];
    said[value.file] = [value.status, value.codes, warnings];
    // pydicom's files are no films: what is refused shows no probability, and none is compared.
    if (set === 'pydicom' || python.probability === null || python.heatmap === null) continue;
    worst.probability = Math.max(worst.probability, Math.abs(value.probability - python.probability));
    expect(film.value.heatmap.length).toBe(python.heatmap.length);
    const differences = python.heatmap.map((heat, index) => Math.abs(heat - film.value.heatmap[index]));
    worst.heatmap = Math.max(worst.heatmap, ...differences);
  }
  console.log(`${names.length} films, worst difference: probability ${worst.probability}, heatmap ${worst.heatmap}`);
  for (const name of UNLIKE) wanted[name] &&= said[name];
  expect(said).toEqual(wanted);
  expect(worst.probability).toBeLessThan(PROBABILITY);
  expect(worst.heatmap).toBeLessThan(HEATMAP);
});
