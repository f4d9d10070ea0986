import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Card } from '../../src/contract/card';
import { READING_KEYS } from '../../src/contract/names';
import { toCsv, toJsonLines } from '../../src/worklist/export';
import { byUrgency, matches, type Reading, rejudged } from '../../src/worklist/reading';
import { fromJsonLines, NotAReading } from '../../src/worklist/import';
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
  side: null,
  rightLung: null,
  leftLung: null,
  abnormal: null,
  logits: [0, 1],
  gate: [],
  embedding: [],
  operatingPoint: 'balanced',
  notSeenBelow: 0.5,
  suspectedFrom: 0.5,
  codes: [],
  reasons: [],
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

describe('another operating point', () => {
  const point = (below: number, from: number) => ({ not_seen_below: below, suspected_from: from });
  const card = {
    title: 'r 1',
    classes: ['normal', 'pneumonia'],
    positive: 'pneumonia',
    task: 'binary',
    operatingPoints: { balanced: point(0.3, 0.5), strict: point(0.3, 0.95), wide: point(0.1, 0.2) },
    abnormalLimit: null,
    gate: [{ code: 'white_side', limit: 0.5, status: 'uncertain', reason: 'one side is white' }],
  } as unknown as Card;

  test('changes the status, and is named with its threshold', () => {
    const changed = rejudged(reading({ probability: 0.9, gate: [0.1] }), card, 'strict');
    expect(changed).toMatchObject({
      operatingPoint: 'strict',
      notSeenBelow: 0.3,
      suspectedFrom: 0.95,
      status: 'uncertain',
      codes: ['abstained'],
    });
    expect(rejudged(changed, card, 'wide')).toMatchObject({
      operatingPoint: 'wide',
      notSeenBelow: 0.1,
      suspectedFrom: 0.2,
      status: 'suspected',
      codes: [],
    });
  });

  test.each([[[0.9]], [[]]])('leaves the doubts of the gate, of which the scores %j were kept', (gate) => {
    const doubtful = reading({ probability: 0.9, gate, status: 'uncertain', codes: ['white_side'] });
    expect(rejudged(doubtful, card, 'wide')).toMatchObject({ status: 'uncertain', codes: ['white_side'] });
    expect(rejudged(reading({ probability: 0.9, gate: [] }), card, 'wide')).toMatchObject({ status: 'suspected' });
  });

  test('leaves a refused film refused', () => {
    const refused = reading({ status: 'refused', codes: ['blank'] });
    expect(rejudged(refused, card, 'wide')).toBe(refused);
  });
});

describe('exports', () => {
  test('the keys of a reading are those of Python, warnings with code and text among them', () => {
    const one = reading({ reasons: ['why'], warnings: [{ code: 'age_outside', text: 'beware' }] });
    const line = JSON.parse(toJsonLines([one]));
    expect(Object.keys(line)).toEqual(expect.arrayContaining([...READING_KEYS]));
    expect([line.warning_codes, line.warnings]).toEqual([['age_outside'], ['beware']]);
    const [head, row] = toCsv([one], null).split('\r\n');
    expect(head.split(',')).toEqual(expect.arrayContaining(READING_KEYS.filter((key) => key !== 'elapsed_ms')));
    expect(row).toContain(',why,age_outside,beware,');
  });

  test('a table that no spreadsheet runs', () => {
    for (const evil of ['=1+1', '+1', '-1', '@x', '\tx'])
      expect(toCsv([reading({ patient: evil, note: evil })], null)).toContain(`'${evil}`);
    expect(toCsv([reading({ probability: null })], null)).toContain('suspected,,,,,,balanced');
  });

  test('the label of the table is what was found in the end, in the words of the reader', () => {
    const labels = (classes: string[]) =>
      toCsv(
        (['positive', 'negative', null] as const).map((reference) => reading({ reference, label: 'pneumonia' })),
        { classes, positive: 'pneumonia' } as Card,
      )
        .split('\r\n')
        .slice(1, 4)
        .map((row) => row.split(',')[2]);
    expect(labels(['normal', 'pneumonia'])).toEqual(['pneumonia', 'normal', '']);
    expect(labels(['normal', 'bacterial', 'pneumonia'])).toEqual(['pneumonia', '', '']);
  });

  test('one JSON object a line, whatever is in the note', () => {
    const lines = toJsonLines([reading({ note: 'a\nb', reasons: ['why'] }), reading()]).split('\n');
    expect(lines.length).toBe(3);
    expect(JSON.parse(lines[0])).toMatchObject({ note: 'a\nb', reasons: ['why'], status: 'suspected' });
  });
});

describe('an export taken in again', () => {
  const full = reading({
    id: 'a'.repeat(32),
    age: 0.5,
    patient: 'KRT-017',
    note: 'a\nb',
    verdict: 'agree',
    reference: 'negative',
    warnings: [{ code: 'age_outside', text: 'the patient is 0 years old' }],
    gate: [0.25],
    embedding: [1, 2],
  });

  test('is what was exported', () => {
    expect(fromJsonLines(toJsonLines([full, { ...full, probability: null, status: 'failed', label: null }]))).toEqual([
      full,
      { ...full, probability: null, status: 'failed', label: null },
    ]);
  });

  test.each<[string, Record<string, unknown>]>([
    ['a probability above 1', { probability: 1.5 }],
    ['a status that is unknown', { status: 'odd' }],
    ['an id that could be markup', { id: '<b>' }],
    ['no time', { read_at: 'yesterday' }],
    ['numbers that are texts', { gate: ['0.1'] }],
    ['a text without end', { note: 'x'.repeat(5000) }],
    ['an age that nobody has', { age: 400 }],
    ['a warning without words', { warnings: [] }],
  ])('%s is refused with its line', (_, changed) => {
    const good = toJsonLines([full]);
    const bad = JSON.stringify({ ...JSON.parse(good), ...changed });
    expect(() => fromJsonLines(`${good}${bad}\n`)).toThrow(new NotAReading(2));
  });

  test('goes in whole or not at all, and leaves what is here as it is', async () => {
    await worklist.add({ ...full, note: 'newer here' }, film);
    const other = { ...full, id: 'b'.repeat(32) };
    expect(await worklist.addAll([full, other, other])).toBe(1);
    expect((await worklist.get(full.id))!.note).toBe('newer here');
    expect(await worklist.film(full.id)).toEqual(film);
    const many = Array.from({ length: LIMIT }, () => reading());
    await expect(worklist.addAll(many)).rejects.toThrow(WorklistFull);
    expect(await worklist.count()).toBe(2);
  });
});

test('a reading of the first version opens with its codes', async () => {
  const { reasons: _, ...old } = reading({ codes: ['too_small'] });
  await worklist.add({ ...old, warnings: ['age_outside'] } as never, null);
  const [opened] = await worklist.all();
  expect(opened.warnings).toEqual([{ code: 'age_outside', text: 'age_outside' }]);
  expect(opened.reasons).toHaveLength(1);
});
