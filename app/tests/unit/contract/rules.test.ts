import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ageWarning, ageYears, outside } from '../../../src/contract/ages';
import { parseCard, readCard } from '../../../src/contract/card';
import { codesOf, KINDS, kindOf, remark } from '../../../src/contract/codes';
import { colour, LEGEND } from '../../../src/contract/colours';
import { codeString, refusals } from '../../../src/contract/headers';
import { edgeWarning, judge, resolutionWarning } from '../../../src/contract/judge';
import { inverts, looksNegative, thumbnail } from '../../../src/contract/polarity';
import { LANGUAGES } from '../../../src/i18n';
import { load } from './vectors';

const [ages, rule, polarity, colours] = ['ages', 'judge', 'polarity', 'colours'].map(load);
const bytes = (base64: string) => Uint8Array.from(Buffer.from(base64, 'base64'));

describe('headers', () => {
  test.each<any>(load('headers'))('$modality, $body_part, $view', (one) => {
    const [modality, part, view] = [one.modality, one.body_part, one.view].map((text) => codeString(text ?? undefined));
    const found = refusals(modality, part, view);
    expect(found.map(({ code }) => code)).toEqual(one.codes);
    if (one.texts) expect(found.map(({ text }) => text)).toEqual(one.texts);
  });
});

describe('ages', () => {
  test.each<any>(ages.years)('$age, or born $born and examined $examined', ({ age, born, examined, years }) => {
    const found = ageYears(...([age, born, examined].map((text) => codeString(text ?? undefined)) as [any, any, any]));
    if (years === null) expect(found).toBeNull();
    else expect(found).toBeCloseTo(years, 9);
  });

  test('who is outside, and what is said', () => {
    for (const [population, years, expected] of ages.outside) expect(outside(population, years)).toBe(expected);
    for (const [population, years, text] of ages.warnings) {
      expect(ageWarning(population, years)).toEqual({ code: 'age_outside', text });
    }
  });
});

describe('lungs at the edge', () => {
  test.each<any>(rule.edges)('$name', ({ size, at, value, warned }) => {
    const values = new Float32Array(size[0] * size[1]);
    for (const place of at) values[place] = value;
    const found = edgeWarning({ values, size });
    expect(found.map(({ code }) => code)).toEqual(warned ? ['lungs_at_edge'] : []);
  });
});

describe('small films', () => {
  test.each<any>(rule.sizes)('$size', ({ size: [height, width], warned }) => {
    const found = resolutionWarning({ width, height });
    expect(found.map(({ code }) => code)).toEqual(warned ? ['low_resolution'] : []);
  });
});

describe('judge', () => {
  const { base } = load('cards');
  test.each<any>(rule.cases)('$name', (one) => {
    const limit = one.abnormal_limit === undefined ? rule.abnormal_limit : one.abnormal_limit;
    const card = parseCard(
      JSON.stringify({
        ...base,
        operating_points: { balanced: one.point ?? rule.point },
        abnormal: limit === null ? null : { limit },
        gate: { scores: rule.gate },
        selftest: { ...base.selftest, gate: rule.gate.map(() => 0) },
      }),
    );
    const [height, width] = one.size ?? [300, 300];
    const outputs = {
      probability: [1 - one.probability, Number(one.probability)],
      gate: one.gate.map(Number),
      lungsProbability: one.lungs ? (one.lungs.map(Number) as [number, number]) : null,
      abnormal: one.abnormal === undefined ? null : Number(one.abnormal),
    };
    const { status, codes, side } = judge(card, outputs, { height, width }, one.header);
    expect([status, codes, side]).toEqual([one.status, one.codes, one.side ?? null]);
  });
});

describe('every shipped reader', () => {
  const folder = new URL('../../../../readers/', import.meta.url);
  const order = ['not_seen', 'uncertain', 'suspected'];

  test.each(readdirSync(folder).filter((name) => name.endsWith('.onnx')))(
    '%s: the status never falls as the probability rises',
    (name) => {
      const card = readCard(readFileSync(new URL(name, folder)));
      const gate = card.gate.map(() => 0);
      for (const [point, { not_seen_below, suspected_from }] of Object.entries(card.operatingPoints)) {
        const all = [...Array(401).keys()]
          .map((step) => step / 400)
          .concat(not_seen_below, suspected_from, 1e-9, 1 - 1e-9);
        const found = all
          .sort((a, b) => a - b)
          .map((p) => judge(card, { probability: [1 - p, p], gate }, { height: 300, width: 300 }, [], point).status)
          .map((status) => order.indexOf(status));
        expect(found).toEqual([...found].sort((a, b) => a - b));
        expect(new Set(found).size).toBeGreaterThan(1);
      }
    },
  );
});

describe('polarity', () => {
  test('the thumbnail is that of Pillow, to the grey level', () => {
    for (const { height, width, pixels, thumbnail: expected } of polarity.resize) {
      expect([...thumbnail(bytes(pixels), width, height)]).toEqual([...bytes(expected)]);
    }
  });

  test.each<any>(polarity.films)('$name', ({ thumbnail: film }) => {
    const small = bytes(film);
    const negative = small.map((value) => 255 - value);
    expect([looksNegative(small), looksNegative(negative)]).toEqual([false, true]);
    expect(inverts('MONOCHROME2', small, 64, 64)).toEqual({ inverts: false, warnings: [] });
    expect(inverts('MONOCHROME1', negative, 64, 64)).toEqual({ inverts: true, warnings: [] });
    for (const [header, stored] of [
      ['MONOCHROME1', small],
      ['MONOCHROME2', negative],
    ] as const) {
      const { inverts: inverted, warnings } = inverts(header, stored, 64, 64);
      expect([inverted, warnings.map(({ code }) => code)]).toEqual([false, ['header_contradicts_pixels']]);
    }
  });

  test('a flat film is taken as its header says', () => expect(looksNegative(bytes(polarity.flat))).toBe(false));
});

describe('colours', () => {
  test.each<any>(colours.colours)('%f', (share, rgba) => {
    for (const [index, value] of colour(share).entries()) expect(value).toBeCloseTo(rgba[index], 2);
  });

  test('the legend begins where the map begins: clear, over grey', () => {
    expect(LEGEND).toBe('linear-gradient(to right, rgb(255 224 41 / 0) 0%, rgb(255 0 0 / 0.6) 100%), rgb(128 128 128)');
  });
});

describe('codes', () => {
  test('have a kind and a text', () => {
    expect(kindOf('one_lung')).toBe('uncertain');
    expect(kindOf('of_another_reader')).toBeUndefined();
    expect(remark('too_small', { width: 10, height: 20, smallest: 128 }).text).toBe(
      'the film has 10 x 20 pixels, at least 128 per side are needed; send the original, not a thumbnail',
    );
  });

  test.each(Object.entries(LANGUAGES))('every code of a film is said in %s', (_, words) => {
    const said = { ...words.codes, ...words.reader, ...words.warnings };
    // What a phone has no files, folders and pipes for.
    const python = ['folder', 'missing', 'no_file', 'not_read', 'range', 'shape', 'type', 'unreadable'];
    const codes = KINDS.flatMap(codesOf).filter((code) => !python.includes(code));
    expect(codes.filter((code) => !(code in said))).toEqual([]);
  });
});
