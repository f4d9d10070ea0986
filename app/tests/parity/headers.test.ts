/** Every film that Python decoded: the app's own code makes the same picture of it, with the same warnings. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decode } from '../../src/film/decode';
import { UnreadableFilm } from '../../src/film/film';

const folder = process.env.FILMS!;

test('a picture or a reason for each', async () => {
  const said = [];
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.dcm'))) {
    try {
      const { width, height, pixels, refusals, warnings } = await decode(
        new Blob([readFileSync(join(folder, file))]),
        file,
      );
      const codes = refusals.map(({ code }) => code);
      said.push({ file, width, height, codes, warnings: warnings.map(({ text }) => text) });
      writeFileSync(join(folder, `${file}.app`), pixels);
    } catch (error) {
      if (!(error instanceof UnreadableFilm)) throw error;
      said.push({ file, codes: error.codes });
    }
  }
  writeFileSync(join(folder, 'said.json'), JSON.stringify(said));
  expect(said.length).toBeGreaterThan(0);
});
