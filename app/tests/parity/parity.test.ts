/** Every film that Python read: the app's own code says the same of it, in Node and without a browser. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decode } from '../../src/film/decode';
import { UnreadableFilm } from '../../src/film/film';
import { kindOf } from '../../src/contract/codes';
import { Reader } from '../../src/reader/session';
import { readingOf } from '../../src/worklist/reading';

interface Said {
  file: string;
  status: string;
  codes: string[];
  warning_codes: string[];
  warnings: string[];
  probability: number | null;
}

const folder = process.env.FILMS!;
const films: Said[] = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));

async function read(reader: Reader, file: string): Promise<Said> {
  try {
    const film = await decode(new Blob([readFileSync(join(folder, file))]), file);
    const outputs = await reader.read(film.pixels, film.height, film.width);
    const { status, codes, warnings, probability } = readingOf(reader.card, film, outputs, null);
    return {
      file,
      status,
      codes,
      warning_codes: warnings.map(({ code }) => code),
      warnings: warnings.map(({ text }) => text),
      probability,
    };
  } catch (error) {
    if (!(error instanceof UnreadableFilm)) throw error;
    const codes = [...error.codes];
    const status = kindOf(codes[0]) === 'refused' ? 'refused' : 'failed';
    return { file, status, codes, warning_codes: [], warnings: [], probability: null };
  }
}

test('status, codes, warnings and probability are those of Python', async () => {
  const reader = await Reader.open(new Uint8Array(readFileSync(process.env.READER!)), 1);
  const said: Said[] = [];
  for (const { file } of films) said.push(await read(reader, file));
  writeFileSync(join(folder, 'said.json'), JSON.stringify(said));
  expect(said.length).toBe(films.length);
});
