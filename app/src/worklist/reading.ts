import { ageWarning } from '../contract/ages';
import { type Card, outsidePopulation } from '../contract/card';
import { kindOf, type Remark, remark } from '../contract/codes';
import {
  edgeWarning,
  judge,
  labelOf,
  resolutionWarning,
  type Outputs,
  type Side,
  type Status,
} from '../contract/judge';
import { SMALLEST_SIDE } from '../contract/limits';
import type { Film } from '../film/film';

export type Verdict = 'agree' | 'disagree' | 'unsure';
export type ReferenceStandard = 'positive' | 'negative';

/** What the reader said of one film, and what people added. */
export interface Reading {
  id: string;
  /** Milliseconds since 1970. */
  readAt: number;
  file: string;
  status: Status;
  /** Calibrated probability of pneumonia; null where nothing was decoded. */
  probability: number | null;
  /** What the operating point decides for; null where nothing was decoded. */
  label: string | null;
  /** The lung that the status speaks of; null where none stands out, or the reader does not tell them apart. */
  side: Side | null;
  /** Calibrated, of pneumonia in the patient's right and left lung; null of a reader that does not tell them apart. */
  rightLung: number | null;
  leftLung: number | null;
  /** Probability that the lungs are abnormal in any way; null of a reader that does not tell. */
  abnormal: number | null;
  logits: number[];
  gate: number[];
  embedding: number[];
  operatingPoint: string;
  /** The cut-offs of the operating point. */
  notSeenBelow: number;
  suspectedFrom: number;
  codes: string[];
  /** The codes in English, for other programs. */
  reasons: string[];
  warnings: Remark[];
  reader: string;
  elapsedMs: number;
  patient: string;
  /** Years. */
  age: number | null;
  note: string;
  verdict: Verdict | null;
  reference: ReferenceStandard | null;
}

/** Points x, y one after the other, in shares of the film's width and height. */
export type Outline = number[];

/** What is needed to show a film and its heatmap again. */
export interface KeptFilm {
  /** A `data:` address of a JPEG. */
  picture: string;
  heatmap: number[];
  heatmapSize: [number, number];
  /** Closed lines around the lungs, x and y in shares of the film's sides; missing where the reader finds no lungs. */
  lungs?: Outline[];
}

/** The reading of a film that nothing is known of yet. */
export function blank(file: string): Reading {
  return {
    id: newId(),
    readAt: Date.now(),
    file,
    status: 'failed',
    probability: null,
    label: null,
    side: null,
    rightLung: null,
    leftLung: null,
    abnormal: null,
    logits: [],
    gate: [],
    embedding: [],
    operatingPoint: '',
    notSeenBelow: 0,
    suspectedFrom: 0,
    codes: [],
    reasons: [],
    warnings: [],
    reader: '',
    elapsedMs: 0,
    patient: '',
    age: null,
    note: '',
    verdict: null,
    reference: null,
  };
}

/** `crypto.randomUUID` is missing where a page came over plain HTTP. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function readingOf(card: Card, film: Film, outputs: Outputs, operatingPoint: string | null): Reading {
  const point = operatingPoint && operatingPoint in card.operatingPoints ? operatingPoint : card.defaultOperatingPoint;
  const judgement = judge(
    card,
    outputs,
    film,
    film.refusals.map(({ code }) => code),
    point,
  );
  return {
    ...blank(film.name),
    ...judgement,
    label: labelOf(card, outputs.probability, judgement.suspectedFrom),
    rightLung: outputs.lungsProbability?.[0] ?? null,
    leftLung: outputs.lungsProbability?.[1] ?? null,
    abnormal: outputs.abnormal,
    reasons: judgement.codes.map((code) => reasonOf(code, card, point, film)),
    age: film.ageYears === null ? null : Math.round(film.ageYears * 100) / 100,
    warnings: [
      ...film.warnings,
      ...ageWarnings(card, film.ageYears),
      ...(judgement.status === 'refused' ? [] : resolutionWarning(film)),
      ...(outputs.lungs && judgement.status !== 'refused' ? edgeWarning(outputs.lungs) : []),
    ],
    reader: card.title,
    logits: [...outputs.logits],
    gate: [...outputs.gate],
    embedding: [...outputs.embedding],
  };
}

/** The reading with another age, and the warning that goes with it. */
export function withAge(reading: Reading, card: Card | null, age: number | null): Reading {
  const others = reading.warnings.filter(({ code }) => code !== 'age_outside');
  return { ...reading, age, warnings: card ? [...others, ...ageWarnings(card, age)] : others };
}

function ageWarnings(card: Card, age: number | null): Remark[] {
  return age !== null && card.ageYears && outsidePopulation(card, age) ? [ageWarning(card.ageYears, age)] : [];
}

/** Whether a reading was made by this reader, so that its numbers can be judged again. */
export const isOf = (reading: Reading, card: Card): boolean => reading.reader === card.title;

/** The reading at another operating point; a film that was refused or failed stays so. */
export function rejudged(reading: Reading, card: Card, operatingPoint: string): Reading {
  if (reading.probability === null || reading.status === 'refused' || reading.status === 'failed') return reading;
  const probability = new Float32Array(card.classes.length);
  probability[card.classes.indexOf(card.positive)] = reading.probability;
  const { rightLung, leftLung, abnormal } = reading;
  // The gate does not depend on the operating point: its doubts stay, also where its scores were not kept.
  const doubts = reading.codes.filter((code) => card.gate.some((score) => score.code === code));
  const judged = judge(
    { ...card, gate: [] },
    {
      probability,
      gate: [],
      lungsProbability: rightLung === null || leftLung === null ? null : [rightLung, leftLung],
      abnormal,
    },
    { width: Infinity, height: Infinity },
    [],
    operatingPoint,
  );
  const label = card.classes.length === 2 ? labelOf(card, probability, judged.suspectedFrom) : reading.label;
  const codes = [...doubts, ...judged.codes];
  const reasons = codes.map((code) => reasonOf(code, card, operatingPoint));
  return { ...reading, ...judged, status: doubts.length > 0 ? 'uncertain' : judged.status, codes, reasons, label };
}

/** A code in English: what the header says, or the reader's card, or the table that all programs share. */
function reasonOf(code: string, card: Card, point: string, film?: Film): string {
  const header = film?.refusals.find((refusal) => refusal.code === code);
  if (header) return header.text;
  const score = card.gate.find((one) => one.code === code);
  if (score?.reason) return score.advice ? `${score.reason}; ${score.advice}` : score.reason;
  const { not_seen_below: lower, suspected_from: upper } = card.operatingPoints[point];
  return reasonText(code, {
    width: film?.width,
    height: film?.height,
    smallest: SMALLEST_SIDE,
    lower: lower.toFixed(2),
    upper: upper.toFixed(2),
  });
}

/** A code in the words that all programs share. */
export const reasonText = (code: string, values: Record<string, unknown> = {}): string =>
  kindOf(code) ? remark(code, values).text : code;

/** A reading as older versions of the app kept it: with codes alone, and one threshold. */
export function upgraded(kept: Reading & { threshold?: number }): Reading {
  const warnings = (kept.warnings as (Remark | string)[]).map((warning) =>
    typeof warning === 'string' ? { code: warning, text: warning } : warning,
  );
  const { side = null, rightLung = null, leftLung = null, abnormal = null } = kept;
  const { threshold = 0, notSeenBelow = threshold, suspectedFrom = threshold, ...others } = kept;
  const known = { side, rightLung, leftLung, abnormal, notSeenBelow, suspectedFrom };
  return { ...others, ...known, warnings, reasons: kept.reasons ?? kept.codes.map((code) => reasonText(code)) };
}

const URGENCY: Record<Status, number> = { suspected: 0, uncertain: 1, failed: 2, refused: 3, not_seen: 4 };

/** Most urgent first: what no person has read yet, by status, then by probability, then the newest. */
export function byUrgency(a: Reading, b: Reading): number {
  return (
    Number(a.verdict !== null) - Number(b.verdict !== null) ||
    URGENCY[a.status] - URGENCY[b.status] ||
    (b.probability ?? 0) - (a.probability ?? 0) ||
    b.readAt - a.readAt
  );
}

export function matches(reading: Reading, search: string): boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const text = `${reading.patient} ${reading.note} ${reading.file}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
