import type { Side } from '../contract/judge';
import { type Status, STATUSES } from '../contract/names';
import type { Reading, ReferenceStandard, Verdict } from './reading';

/** Line `line` (from 1) of an export was not written by this app. */
export class NotAReading extends Error {
  constructor(readonly line: number) {
    super(`line ${line} is not a reading from this app`);
  }
}

/**
 * Readings from what `toJsonLines` wrote, without their films.
 *
 * @throws NotAReading
 */
export function fromJsonLines(text: string): Reading[] {
  const lines = text.replace(/^\ufeff/, '').split('\n');
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    try {
      return [fromLine(JSON.parse(line))];
    } catch {
      throw new NotAReading(index + 1);
    }
  });
}

const SIDES: Side[] = ['right', 'left', 'both'];
const VERDICTS: Verdict[] = ['agree', 'disagree', 'unsure'];
const REFERENCES: ReferenceStandard[] = ['positive', 'negative'];
const LONGEST_TEXT = 1000;
const MOST_NUMBERS = 10_000;

function fromLine(line: Record<string, unknown>): Reading {
  const text = (key: string) => checked(line[key], isText);
  const share = (key: string) =>
    checked(line[key], (value): value is number => isNumber(value) && value >= 0 && value <= 1);
  const texts = (key: string) => checked(line[key], listOf(isText));
  const numbers = (key: string) => checked(line[key], listOf(isNumber));
  const optional = <T>(key: string, read: (key: string) => T): T | null => (line[key] === null ? null : read(key));
  /** What exports of older versions lack. */
  const newer = <T>(key: string, read: (key: string) => T): T | null => (key in line ? optional(key, read) : null);
  const oneOf =
    <T>(values: readonly T[]) =>
    (key: string) =>
      checked(line[key], (value): value is T => values.includes(value as T));
  const readAt = Date.parse(text('read_at'));
  const codes = texts('warning_codes');
  const warnings = texts('warnings');
  return {
    id: checked(line.id, (value): value is string => isText(value) && /^[0-9a-f]{32}$/.test(value)),
    readAt: checked(readAt, isNumber),
    file: text('file'),
    status: oneOf<Status>(STATUSES)('status'),
    probability: optional('probability', share),
    label: optional('label', text),
    side: newer('side', oneOf(SIDES)),
    rightLung: newer('right_lung', share),
    leftLung: newer('left_lung', share),
    abnormal: newer('abnormal', share),
    logits: numbers('logits'),
    gate: numbers('gate'),
    embedding: numbers('embedding'),
    operatingPoint: text('operating_point'),
    // Older exports have one threshold.
    notSeenBelow: share('not_seen_below' in line ? 'not_seen_below' : 'threshold'),
    suspectedFrom: share('suspected_from' in line ? 'suspected_from' : 'threshold'),
    codes: texts('codes'),
    reasons: texts('reasons'),
    warnings: codes.map((code, index) => ({ code, text: checked(warnings[index], isText) })),
    reader: text('reader'),
    elapsedMs: checked(line.elapsed_ms, isNumber),
    patient: optional('patient', text) ?? '',
    age: optional('age', (key) =>
      checked(line[key], (value): value is number => isNumber(value) && value >= 0 && value <= 120),
    ),
    note: optional('note', text) ?? '',
    verdict: optional('verdict', oneOf(VERDICTS)),
    reference: optional('reference', oneOf(REFERENCES)),
  };
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= LONGEST_TEXT;
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const listOf =
  <T>(is: (value: unknown) => value is T) =>
  (value: unknown): value is T[] =>
    Array.isArray(value) && value.length <= MOST_NUMBERS && value.every(is);

function checked<T>(value: unknown, is: (value: unknown) => value is T): T {
  if (!is(value)) throw new TypeError('not what the app writes');
  return value;
}
