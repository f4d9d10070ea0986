import { describe, expect, test } from 'vitest';
import {
  cardOf as shownCard,
  metadata,
  NotAReader,
  outsidePopulation,
  parseCard,
  readCard,
} from '../../../src/contract/card';
import { changed, load } from './vectors';

interface Case {
  name: string;
  at: string;
  value: string;
  problem?: string;
}

function failure(act: () => unknown): NotAReader {
  try {
    act();
  } catch (error) {
    return error as NotAReader;
  }
  throw new Error('nothing was thrown');
}

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const field = (number: number, content: number[]): number[] => [
  ...varint(number * 8 + 2),
  ...varint(content.length),
  ...content,
];
const text = (value: string): number[] => [...new TextEncoder().encode(value)];
const onnx = (card: string): Uint8Array =>
  Uint8Array.from([
    ...[8, 9], // ir_version
    ...field(7, Array(3000).fill(255)), // the graph, stepped over
    ...field(14, [...field(1, text('other')), ...field(2, text('x'))]),
    ...field(14, [...field(1, text('card')), ...field(2, text(card))]),
  ]);

const cards = load('cards');
const cardOf = (changes: object) => readCard(onnx(JSON.stringify({ ...cards.base, ...changes })));

test('a page that is given a card without its self-test shows the same', () => {
  const { selftest: _, ...facts } = cards.base as any;
  const { selfTest: __, ...own } = parseCard(JSON.stringify(cards.base));
  expect(shownCard(facts)).toEqual(own);
});

describe('the card of a reader file', () => {
  test('is found in the metadata of the ONNX file', () => {
    expect(metadata(onnx('{"é": "ع"}'))).toEqual({ other: 'x', card: '{"é": "ع"}' });
    const card = cardOf({});
    expect([card.name, card.heatmapReference, card.gate.length]).toEqual(['vector', 3.5, 2]);
    expect([...card.selfTest.pixels.subarray(0, 4)]).toEqual([0, 1, 2, 3]);
    expect(card.abnormalLimit).toBe(0.7);
    expect(cardOf({ abnormal: null }).abnormalLimit).toBeNull();
  });

  test.each<Case>(cards.valid)('$name: read', ({ at, value }) => {
    expect(parseCard(changed(cards.base, at, value)).name).toBe('vector');
  });

  test.each<Case>(cards.invalid)('$name: no reader', ({ at, value, problem }) => {
    const error = failure(() => parseCard(changed(cards.base, at, value)));
    expect(error).toBeInstanceOf(NotAReader);
    expect(error.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    expect(error.message.length).toBeLessThan(300);
    if (problem) expect(error.path).toBe(problem);
  });

  test.each<{ name: string; text: string }>(cards.texts)('$name: no card', ({ text }) => {
    expect(failure(() => readCard(onnx(text)))).toBeInstanceOf(NotAReader);
  });

  const oldCard = ({ schema = 2, point, abstention }: any) => {
    const { abnormal: _, ...facts } = {
      ...cards.base,
      schema,
      operating_points: { balanced: point },
      abstention,
    } as any;
    if (schema === 1) for (const name of ['identity', 'provenance']) delete facts[name];
    return parseCard(JSON.stringify(facts));
  };

  test.each<any>(cards.old)('an old card: $name', (one) => {
    const point = oldCard(one).operatingPoints.balanced;
    expect([point.not_seen_below, point.suspected_from]).toEqual([one.not_seen_below, one.suspected_from]);
    expect(/^why.*lies outside the band/.test(point.reason!)).toBe(one.crossing);
    const promised = one.abstention?.error_rate;
    expect([point.missed, point.false_alarms]).toEqual([promised, promised]);
  });

  test.each<any>(cards.old_invalid)('an old card: $name, no reader', (one) => {
    expect(failure(() => oldCard(one)).path).toBe(one.problem);
  });

  test('no two exports share a title', () => {
    const titles = ['0', '1'].map((digit) => cardOf({ identity: digit.repeat(64) }).title);
    expect(titles).toEqual(['vector 1.0+00000000', 'vector 1.0+11111111']);
    expect(cardOf({ schema: 1, identity: undefined }).title).toBe('vector 1.0');
  });

  test('what is not an ONNX file is not a reader', () => {
    for (const bytes of [text('<!doctype html>'), [], Array(50).fill(255), [...onnx('{}')].slice(0, 200)]) {
      expect(() => readCard(Uint8Array.from(bytes))).toThrow(NotAReader);
    }
  });

  test('five years last until the sixth birthday', () => {
    const card = cardOf({});
    expect([0.9, 1, 5.9, 6, null].map((age) => outsidePopulation(card, age))).toEqual([
      true,
      false,
      false,
      true,
      false,
    ]);
  });
});
