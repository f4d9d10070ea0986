import rule from '../../../src/ai_for_sudan/contract/judge.json';
import type { Card } from './card';
import { type Remark, remark } from './codes';
import { SMALLEST_SIDE, STABLE_SIDE } from './limits';
import type { Status } from './names';
import { type OperatingPoint, statusAt } from './operating_point';

export type { Status };

/** What the reader file answers for one film. */
export interface Outputs {
  /** Calibrated, one for each class, in 0..1. */
  probability: Float32Array;
  logits: Float32Array;
  /** One score in 0..1 for each entry of `card.gate`. */
  gate: Float32Array;
  /** Grad-CAM of the positive class, row by row, in logit units. */
  heatmap: Float32Array;
  heatmapSize: [number, number];
  /** Probability of lung, row by row over the whole film; null where the reader file does not give it. */
  lungs: { values: Float32Array; size: [number, number] } | null;
  embedding: Float32Array;
  /** Probability of the positive class in the patient's right and left lung; null of a reader that does not tell them apart. */
  lungsProbability: [right: number, left: number] | null;
  /** Probability that the lungs are abnormal in any way; null of a reader that does not tell. */
  abnormal: number | null;
}

/** The patient's. */
export type Side = 'right' | 'left' | 'both';

export interface Judgement {
  status: Status;
  /** Calibrated probability of the positive class; kept for refused films too, so that the gate can be measured. */
  probability: number;
  notSeenBelow: number;
  suspectedFrom: number;
  operatingPoint: string;
  codes: string[];
  side: Side | null;
}

/** The status of one decoded film. The same lines as in `ai_for_sudan.contract.judge`. */
export function judge(
  card: Card,
  outputs: { probability: ArrayLike<number>; gate: ArrayLike<number> } & Partial<
    Pick<Outputs, 'lungsProbability' | 'abnormal'>
  >,
  size: { width: number; height: number },
  headerCodes: readonly string[] = [],
  operatingPoint: string = card.defaultOperatingPoint,
): Judgement {
  const probability = outputs.probability[card.classes.indexOf(card.positive)];
  const point = card.operatingPoints[operatingPoint];
  const judged = {
    probability,
    notSeenBelow: point.not_seen_below,
    suspectedFrom: point.suspected_from,
    operatingPoint,
  };
  const refused = [...headerCodes];
  if (Math.min(size.width, size.height) < SMALLEST_SIDE) refused.push(rule.too_small);
  let fired = card.gate
    .map((entry, index) => ({ entry, score: outputs.gate[index] }))
    .filter(({ entry, score }) => !(score <= entry.limit));
  // A blank film fires other rules at random.
  const silencing = fired.filter(({ entry }) => rule.silences_the_rest.includes(entry.code));
  if (silencing.length > 0) fired = silencing.slice(0, 1);
  // The surest first: the others often only echo it. NaN is surer than any number, and of equals the stricter rule.
  fired.sort((a, b) => sureness(b.score) - sureness(a.score) || a.entry.limit - b.entry.limit);
  refused.push(...fired.filter(({ entry }) => entry.status === 'refused').map(({ entry }) => entry.code));
  if (refused.length > 0) return { ...judged, status: 'refused', codes: refused, side: null };
  const doubts = fired.map(({ entry }) => entry.code);
  const found = statusAt(point, probability);
  const { abnormal = null, lungsProbability = null } = outputs;
  if (found === 'uncertain') doubts.push(rule.between);
  else if (
    found === 'not_seen' &&
    abnormal !== null &&
    card.abnormalLimit !== null &&
    !(abnormal < card.abnormalLimit)
  ) {
    doubts.push(rule.abnormal);
  }
  const status = doubts.length > 0 ? 'uncertain' : found;
  return { ...judged, status, codes: doubts, side: sideOf(point, status, lungsProbability) };
}

/**
 * The lung that a suspected or uncertain film speaks of. Each lung is held against the cut-offs of the film. Suspected lungs
 * are named; where there are none, uncertain ones. So a lung that is merely uncertain does not blur the side of a suspected one.
 */
export function sideOf(point: OperatingPoint, status: Status, lungs: readonly number[] | null): Side | null {
  if (lungs === null || !rule.sides_of.includes(status)) return null;
  for (const one of rule.sides_of) {
    const named = rule.sides.filter((_, index) => statusAt(point, lungs[index]) === one);
    if (named.length > 0) return (named.length === 1 ? named[0] : rule.both_sides) as Side;
  }
  return null;
}

/** What a reading must carry of a film so small that its size may decide. */
export function resolutionWarning({ width, height }: { width: number; height: number }): Remark[] {
  if (Math.min(width, height) >= STABLE_SIDE) return [];
  return [remark(rule.low_resolution, { width, height, stable: STABLE_SIDE })];
}

/** What a reading must carry where lung reaches the film's edge along a tenth of a side or more, all sides together. */
export function edgeWarning({ values, size: [height, width] }: NonNullable<Outputs['lungs']>): Remark[] {
  const { code, lung, edge } = rule.lungs_at_edge;
  let reached = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      if (values[y * width + x] < lung) continue;
      if (y === 0 || y === height - 1) reached += 1 / width;
      if (x === 0 || x === width - 1) reached += 1 / height;
    }
  return reached >= edge ? [remark(code)] : [];
}

/**
 * Log-odds in steps: scores differ from machine to machine in their last digits, which must not decide; near 1 those
 * digits are all there is, so that steps of the score itself would make unlike scores alike.
 */
function sureness(score: number): number {
  if (Number.isNaN(score)) return Infinity;
  const inside = Math.min(Math.max(score, rule.least_odds), 1 - rule.least_odds);
  return Math.floor(Math.log(inside / (1 - inside)) / rule.sureness_step + 0.5);
}

/** The positive class if it is suspected, else the other one; the most probable of more; the findings that are suspected. */
export function labelOf(card: Card, probability: ArrayLike<number>, suspectedFrom: number): string {
  const { classes, positive } = card;
  if (card.task === 'multilabel') return classes.filter((_, index) => probability[index] >= suspectedFrom).join('|');
  if (classes.length === 2) {
    const called = probability[classes.indexOf(positive)] >= suspectedFrom;
    return classes.find((name) => (name === positive) === called)!;
  }
  return classes.reduce((best, name, index) => (probability[index] > probability[classes.indexOf(best)] ? name : best));
}
