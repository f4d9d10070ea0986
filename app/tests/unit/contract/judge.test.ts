import { describe, expect, test } from 'vitest';
import type { Card } from '../../../src/contract/card';
import { judge } from '../../../src/contract/judge';

const card = {
  classes: ['normal', 'pneumonia'],
  positive: 'pneumonia',
  operatingPoints: {
    balanced: { not_seen_below: 0.4, suspected_from: 0.6 },
    screening: { not_seen_below: 0.2, suspected_from: 0.2 },
  },
  defaultOperatingPoint: 'balanced',
  abnormalLimit: null,
  gate: [
    { code: 'blank', limit: 0.5, status: 'refused' },
    { code: 'sideways', limit: 0.5, status: 'refused' },
  ],
} as unknown as Card;

const at = (probability: number, gate = [0, 0], side = 300, header: string[] = [], point?: string) =>
  judge(
    card,
    { probability: Float32Array.of(1 - probability, probability), gate: Float32Array.from(gate) },
    { width: side, height: 400 },
    header,
    point,
  );

describe('the status of a film', () => {
  test.each([
    [0.9, 'suspected'],
    [0.61, 'suspected'],
    [0.5, 'uncertain'],
    [0.41, 'uncertain'],
    [0.1, 'not_seen'],
  ])('probability %f is %s', (probability, status) => expect(at(probability).status).toBe(status));

  test('the gate refuses above its limit, not at it', () => {
    expect(at(0.9, [0.5, 0.5]).status).toBe('suspected');
    const refused = at(0.9, [0.5, 0.7]);
    expect([refused.status, refused.codes]).toEqual(['refused', ['sideways']]);
    expect(refused.probability).toBeCloseTo(0.9);
  });

  test('of a blank film nothing else is said', () => {
    expect(at(0.9, [0.6, 0.7]).codes).toEqual(['blank']);
  });

  test('size and header refuse too, in the order of Python', () => {
    expect(at(0.9, [0.6, 0], 127, ['header_view']).codes).toEqual(['header_view', 'too_small', 'blank']);
    expect(at(0.9, [0, 0], 128).status).toBe('suspected');
  });

  test('another operating point has other cut-offs', () => {
    expect(at(0.3).status).toBe('not_seen');
    expect(at(0.3, [0, 0], 300, [], 'screening')).toMatchObject({ status: 'suspected', suspectedFrom: 0.2 });
  });
});
