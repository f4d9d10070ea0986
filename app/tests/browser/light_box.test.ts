/** Photos of films on a light box, drawn by `tests/light_box.py`, as a phone's user would read them: one tap after the photo. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { FILMS, kept, show, test } from './harness';

/** A folder of other scenes, as `benchmarks/light_box.py` writes it. */
const folder = process.env.LIGHT_BOX ?? join(FILMS, 'light_box');
/** Corners may be off by this share of the film's diagonal. */
const OFF = 0.02;

interface Scene {
  name: string;
  kind: string;
  corners: [number, number][];
  size: [number, number];
  /** What Python says of the film itself. */
  status: string;
}

/** Read a photo as the corners were found; how far they were off, and the status. */
async function photographed(page: Page, scene: Scene): Promise<{ off: number; status: string }> {
  await show(page);
  await page.locator('[data-input=camera]').setInputFiles(join(folder, scene.name));
  await page.locator('.handle').first().waitFor();
  const shares = await page
    .locator('.handle')
    .evaluateAll((handles) => handles.map(({ style }) => [parseFloat(style.left), parseFloat(style.top)]));
  const found = shares.map((at) => at.map((share, axis) => (share / 100) * scene.size[axis]));
  const apart = ([x, y]: number[], [u, v]: number[]) => Math.hypot(x - u, y - v);
  const [a, b, c, d] = scene.corners;
  const diagonal = Math.max(apart(a, c), apart(b, d));
  const off = Math.max(...found.map((corner, i) => apart(corner, scene.corners[i]))) / diagonal;
  await page.getByRole('button', { name: 'Looks right, read it' }).click();
  await page.locator('.reading').waitFor();
  const reading = (await kept(page)).find(({ value }) => value.file === scene.name)!.value;
  return { off, status: reading.status };
}

test(
  'the film is found inside the light, and read as if it were the film itself',
  { timeout: 7_200_000 },
  async ({ page }) => {
    const scenes: Scene[] = JSON.parse(readFileSync(join(folder, 'scenes.json'), 'utf8'));
    const tally: Record<string, { scenes: number; corners: number; status: number }> = {};
    const missed: string[] = [];
    for (const scene of scenes) {
      const { off, status } = await photographed(page, scene);
      const count = (tally[scene.kind] ??= { scenes: 0, corners: 0, status: 0 });
      count.scenes++;
      count.corners += Number(off <= OFF);
      count.status += Number(status === scene.status);
      if (off > OFF || status !== scene.status)
        missed.push(`${scene.name} ${scene.kind}: ${(100 * off).toFixed(1)} % off, ${status} for ${scene.status}`);
    }
    console.table(tally);
    console.log(missed.join('\n'));
    const sum = (what: 'scenes' | 'corners' | 'status') =>
      Object.values(tally).reduce((all, count) => all + count[what], 0);
    expect(sum('corners')).toBeGreaterThanOrEqual(0.95 * sum('scenes'));
    expect(sum('status')).toBeGreaterThanOrEqual(0.97 * sum('scenes'));
  },
);
