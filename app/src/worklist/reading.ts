import type { Film } from '../film/film';
import { type Card, outsidePopulation } from '../contract/card';
import { judge, labelOf, type Outputs, type Status } from '../contract/judge';

export type Verdict = 'agree' | 'disagree' | 'unsure';
export type Reference = 'positive' | 'negative';

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
  logits: number[];
  gate: number[];
  embedding: number[];
  operatingPoint: string;
  threshold: number;
  codes: string[];
  warnings: string[];
  reader: string;
  elapsedMs: number;
  patient: string;
  age: number | null;
  note: string;
  verdict: Verdict | null;
  reference: Reference | null;
}

/** What is needed to show a film and its heatmap again. */
export interface KeptFilm {
  /** A `data:` address of a JPEG. */
  picture: string;
  heatmap: number[];
  heatmapSize: [number, number];
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
    logits: [],
    gate: [],
    embedding: [],
    operatingPoint: '',
    threshold: 0,
    codes: [],
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
  const judgement = judge(card, outputs, film, film.refusals, point);
  return {
    ...blank(film.name),
    ...judgement,
    label: labelOf(card, outputs.probability, judgement.threshold),
    age: film.ageYears === null ? null : Math.round(film.ageYears * 10) / 10,
    warnings: outsidePopulation(card, film.ageYears) ? [...film.warnings, 'age_outside'] : film.warnings,
    reader: card.title,
    logits: [...outputs.logits],
    gate: [...outputs.gate],
    embedding: [...outputs.embedding],
  };
}

/** The reading at another operating point; a film that was refused or failed stays so. */
export function rejudged(reading: Reading, card: Card, operatingPoint: string): Reading {
  if (reading.probability === null || reading.status === 'refused' || reading.status === 'failed') return reading;
  const probability = new Float32Array(card.classes.length);
  probability[card.classes.indexOf(card.positive)] = reading.probability;
  const { status, threshold, codes } = judge(
    card,
    { probability, gate: reading.gate },
    { width: Infinity, height: Infinity },
    [],
    operatingPoint,
  );
  const label = card.classes.length === 2 ? labelOf(card, probability, threshold) : reading.label;
  return { ...reading, status, threshold, codes, label, operatingPoint };
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
