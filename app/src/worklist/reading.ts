import type { Status } from '../contract/judge';

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
