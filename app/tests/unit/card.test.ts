import { describe, expect, test } from 'vitest';
import { metadata, NotAReader, outsidePopulation, readCard } from '../../src/contract/card';

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

const facts = {
  schema: 1,
  name: 'r',
  version: '2',
  classes: ['normal', 'pneumonia'],
  positive: 'pneumonia',
  operating_points: { balanced: { threshold: 0.5 } },
  default_operating_point: 'balanced',
  population: { age_years: [1, 5] },
  abstention: { lower: 0.6, upper: 0.6 },
  gate: { scores: [{ code: 'blank', limit: 0.5 }] },
  heatmap: { reference: 3 },
  selftest: { size: 2, pixels: 'AAECAw==', probability: [0, 1], gate: [0], heatmap_sum: 1, tolerance: 0.001 },
};
const cardOf = (changes: object) => readCard(onnx(JSON.stringify({ ...facts, ...changes })));

describe('the card of a reader file', () => {
  test('is found in the metadata of the ONNX file', () => {
    expect(metadata(onnx('{"é": "ع"}'))).toEqual({ other: 'x', card: '{"é": "ع"}' });
    const card = cardOf({});
    expect([card.name, card.heatmapReference, card.gate.length]).toEqual(['r', 3, 1]);
    expect([...card.selfTest.pixels]).toEqual([0, 1, 2, 3]);
    // An empty band abstains from nothing.
    expect(card.abstention).toBeNull();
  });

  test.each<[string, object]>([
    ['a newer schema', { schema: 2 }],
    ['no operating points', { operating_points: undefined }],
    ['another default', { default_operating_point: 'none' }],
    ['a positive class that is none', { positive: 'x' }],
    ['no self-test', { selftest: undefined }],
    ['too few pixels', { selftest: { ...facts.selftest, size: 3 } }],
  ])('%s is no reader', (_, changes) => expect(() => cardOf(changes)).toThrow(NotAReader));

  test('what is no ONNX file is no reader', () => {
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
