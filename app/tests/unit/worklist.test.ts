import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, test } from 'vitest';
import { LANGUAGES, deviceLanguage, speech } from '../../src/i18n';
import type { Card } from '../../src/contract/card';
import { READING_KEYS } from '../../src/contract/names';
import { toCsv, toJsonLines } from '../../src/worklist/export';
import { byUrgency, matches, type Reading } from '../../src/worklist/reading';
import { LIMIT, Locked, Worklist, WorklistFull } from '../../src/worklist/store';
import { Vault, WrongPin } from '../../src/worklist/vault';

let count = 0;
const reading = (changes: Partial<Reading> = {}): Reading => ({
  id: String(count++),
  readAt: 1000,
  file: 'film.png',
  status: 'suspected',
  probability: 0.9,
  label: 'pneumonia',
  logits: [0, 1],
  gate: [],
  embedding: [],
  operatingPoint: 'balanced',
  threshold: 0.5,
  codes: [],
  warnings: [],
  reader: 'r 1',
  elapsedMs: 5,
  patient: '',
  age: null,
  note: '',
  verdict: null,
  reference: null,
  ...changes,
});
const film = { picture: 'data:image/jpeg;base64,', heatmap: [1, 2], heatmapSize: [1, 2] as [number, number] };

let worklist: Worklist;
beforeEach(async () => {
  worklist = await Worklist.open(`test-${count++}`);
});

describe('the store', () => {
  test('seals and unseals everything, and survives a change of the PIN', async () => {
    const one = reading({ note: 'ملاحظة' });
    await worklist.add(one, film);
    await worklist.setPin('123456');
    expect(await worklist.all()).toEqual([one]);
    worklist.lock();
    await expect(worklist.all()).rejects.toThrow(Locked);
    await expect(worklist.add(reading(), null)).rejects.toThrow(Locked);
    await expect(worklist.unlock('654321')).rejects.toThrow(WrongPin);
    await worklist.unlock('123456');
    await worklist.setPin('222222');
    worklist.lock();
    await expect(worklist.unlock('123456')).rejects.toThrow(WrongPin);
    await worklist.unlock('222222');
    expect([await worklist.get(one.id), await worklist.film(one.id)]).toEqual([one, film]);
    await worklist.removePin();
    expect([worklist.hasPin, await worklist.all()]).toEqual([false, [one]]);
  });

  test('wipes what is old, even while locked', async () => {
    const day = 86_400_000;
    await worklist.add(reading({ readAt: 0 }), film);
    await worklist.add(reading({ readAt: 5 * day }), film);
    await worklist.setPin('123456');
    worklist.lock();
    expect(await worklist.wipeOlderThan(0, 10 * day)).toBe(0);
    expect(await worklist.wipeOlderThan(7, 10 * day)).toBe(1);
    await worklist.unlock('123456');
    expect((await worklist.all()).map((kept) => kept.readAt)).toEqual([5 * day]);
  });

  test('has a limit', async () => {
    for (let index = 0; index < LIMIT; index++) await worklist.add(reading(), null);
    await expect(worklist.add(reading(), null)).rejects.toThrow(WorklistFull);
    // A film read again takes the place of its first reading.
    const [first] = await worklist.all();
    await worklist.add({ ...first, status: 'refused' }, null);
    expect((await worklist.get(first.id))!.status).toBe('refused');
  });
});

test('the same words are never sealed alike, and a changed byte is noticed', async () => {
  const { vault } = await Vault.create('123456', 1000);
  const [a, b] = [await vault.seal('x'), await vault.seal('x')];
  expect(new Uint8Array(a.data)).not.toEqual(new Uint8Array(b.data));
  new Uint8Array(a.data)[0] ^= 1;
  await expect(vault.unseal(a)).rejects.toThrow();
  expect(await vault.unseal(b)).toBe('x');
});

describe('the list', () => {
  test('most urgent first', () => {
    const readings = [
      reading({ status: 'not_seen', probability: 0.2 }),
      reading({ status: 'suspected', probability: 0.99, verdict: 'agree' }),
      reading({ status: 'refused' }),
      reading({ status: 'suspected', probability: 0.6 }),
      reading({ status: 'failed', probability: null }),
      reading({ status: 'suspected', probability: 0.8 }),
      reading({ status: 'uncertain' }),
    ];
    expect(readings.sort(byUrgency).map((r) => [r.status, r.probability])).toEqual([
      ['suspected', 0.8],
      ['suspected', 0.6],
      ['uncertain', 0.9],
      ['failed', null],
      ['refused', 0.9],
      ['not_seen', 0.2],
      ['suspected', 0.99],
    ]);
  });

  test('every word must be found', () => {
    const one = reading({ patient: 'KRT-017', note: 'Fever حمى' });
    expect([matches(one, 'krt fever'), matches(one, 'حمى film'), matches(one, 'krt cough'), matches(one, '')]).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });
});

describe('exports', () => {
  const texts = () => ({ reasons: ['why'], warnings: ['beware'] });

  test('the keys of a reading are those of Python, warnings with code and text among them', () => {
    const one = reading({ warnings: ['age_outside'] });
    const line = JSON.parse(toJsonLines([one], texts));
    expect(Object.keys(line)).toEqual(expect.arrayContaining([...READING_KEYS]));
    expect([line.warning_codes, line.warnings]).toEqual([['age_outside'], ['beware']]);
    const [head, row] = toCsv([one], null, texts).split('\r\n');
    expect(head.split(',')).toEqual(expect.arrayContaining(READING_KEYS.filter((key) => key !== 'elapsed_ms')));
    expect(row).toContain(',why,age_outside,beware,');
  });

  test('a table that no spreadsheet runs', () => {
    for (const evil of ['=1+1', '+1', '-1', '@x', '\tx'])
      expect(toCsv([reading({ patient: evil, note: evil })], null, texts)).toContain(`'${evil}`);
    expect(toCsv([reading({ probability: null })], null, texts)).toContain('suspected,,balanced');
  });

  test('the label of the table is what was found in the end, in the words of the reader', () => {
    const labels = (classes: string[]) =>
      toCsv(
        (['positive', 'negative', null] as const).map((reference) => reading({ reference, label: 'pneumonia' })),
        { classes, positive: 'pneumonia' } as Card,
        texts,
      )
        .split('\r\n')
        .slice(1, 4)
        .map((row) => row.split(',')[2]);
    expect(labels(['normal', 'pneumonia'])).toEqual(['pneumonia', 'normal', '']);
    expect(labels(['normal', 'bacterial', 'pneumonia'])).toEqual(['pneumonia', '', '']);
  });

  test('one JSON object a line, whatever is in the note', () => {
    const lines = toJsonLines([reading({ note: 'a\nb' }), reading()], texts).split('\n');
    expect(lines.length).toBe(3);
    expect(JSON.parse(lines[0])).toMatchObject({ note: 'a\nb', reasons: ['why'], status: 'suspected' });
  });
});

describe('languages', () => {
  const shape = (value: unknown): unknown =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(
          Object.entries(value)
            .sort()
            .map(([key, part]) => [key, shape(part)]),
        )
      : Array.isArray(value)
        ? value.length
        : typeof value;

  test('every language says everything', () => {
    for (const words of Object.values(LANGUAGES)) expect(shape(words)).toEqual(shape(LANGUAGES.en));
  });

  const texts = (value: unknown): string[] =>
    typeof value === 'string' ? [value] : typeof value === 'object' && value ? Object.values(value).flatMap(texts) : [];

  test('no digit stands in the words: the user chooses which digits are shown', () => {
    expect(texts(LANGUAGES.ar).filter((text) => /[0-9\u0660-\u0669]/.test(text))).toEqual([]);
    expect([speech('ar', 'latn').days(7), speech('ar', 'arab').days(30)]).toEqual(['7 أيام', '٣٠ يومًا']);
  });

  test('no English word is left in Arabic, beside names', () => {
    const latin = texts({ ...LANGUAGES.ar, direction: '' }).flatMap((text) => text.match(/[A-Za-z]{2,}/g) ?? []);
    expect(latin.filter((word) => !/^(JPEG|PNG|WebP|DICOM|PDF|CSV|JSON|lines|HTTPS?)$/.test(word))).toEqual([]);
  });

  test('the first language of the device that is known', () => {
    expect([deviceLanguage(['fr', 'ar-SD', 'en']), deviceLanguage(['fr']), deviceLanguage(['en-US', 'ar'])]).toEqual([
      'ar',
      'en',
      'en',
    ]);
  });

  test('numbers, and never quite sure', () => {
    expect(speech('en', 'arab').percent(0.873)).toBe('87%');
    expect(speech('ar', 'arab').percent(0.873)).toContain('٨٧');
    expect(speech('ar', 'latn').percent(0.873)).toContain('87');
    // Never "50%, below the limit of 50%".
    expect(speech('en', 'latn').percent(0.496, 0.5)).toBe('49.6%');
    expect([speech('en', 'latn').percent(1), speech('en', 'latn').percent(0)]).toEqual(['99.9%', '0.1%']);
  });
});
