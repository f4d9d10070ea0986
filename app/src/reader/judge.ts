import type { Card } from './card';

export type Status = 'suspected' | 'not_seen' | 'uncertain' | 'refused' | 'failed';

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
  embedding: Float32Array;
}

export interface Judgement {
  status: Status;
  /** Calibrated probability of the positive class; kept for refused films too, so that the gate can be measured. */
  probability: number;
  threshold: number;
  operatingPoint: string;
  codes: string[];
}

/** The shortest side, in pixels, that is read. */
export const SMALLEST_SIDE = 128;

/** The status of one decoded film. The same logic, in the same order, as `ai_for_sudan.reading.judge`. */
export function judge(
  card: Card,
  outputs: Pick<Outputs, 'probability' | 'gate'>,
  size: { width: number; height: number },
  headerCodes: readonly string[] = [],
  operatingPoint: string = card.defaultOperatingPoint,
): Judgement {
  const probability = outputs.probability[card.classes.indexOf(card.positive)];
  const threshold = card.operatingPoints[operatingPoint].threshold;
  const codes = [...headerCodes];
  if (Math.min(size.width, size.height) < SMALLEST_SIDE) codes.push('too_small');
  for (const [index, score] of card.gate.entries()) {
    if (!(outputs.gate[index] > score.limit)) continue;
    codes.push(score.code);
    if (score.code === 'blank') break; // what the other rules make of nothing is noise
  }
  let status: Status;
  if (codes.length > 0) status = 'refused';
  else if (card.abstention && card.abstention.lower < probability && probability < card.abstention.upper) {
    status = 'uncertain';
    codes.push('abstained');
  } else status = probability >= threshold ? 'suspected' : 'not_seen';
  return { status, probability, threshold, operatingPoint, codes };
}

/** The class, or the findings, that a threshold decides for. */
export function labelOf(card: Card, probability: ArrayLike<number>, threshold: number): string {
  const { classes, positive } = card;
  if (card.task === 'multilabel') return classes.filter((_, index) => probability[index] >= threshold).join('|');
  if (classes.length === 2) {
    const sick = probability[classes.indexOf(positive)] >= threshold;
    return classes.find((name) => (name === positive) === sick)!;
  }
  return classes.reduce((best, name, index) => (probability[index] > probability[classes.indexOf(best)] ? name : best));
}
