import type { Card } from '../contract/card';
import type { Reading, ReferenceStandard } from './reading';

/** One line of `ai-for-sudan read --json`, with what the clinic added. */
function toLine(reading: Reading): Record<string, unknown> {
  return {
    file: reading.file,
    status: reading.status,
    label: reading.label,
    probability: reading.probability,
    side: reading.side,
    right_lung: reading.rightLung,
    left_lung: reading.leftLung,
    abnormal: reading.abnormal,
    operating_point: reading.operatingPoint,
    not_seen_below: reading.notSeenBelow,
    suspected_from: reading.suspectedFrom,
    codes: reading.codes,
    reasons: reading.reasons,
    warning_codes: reading.warnings.map(({ code }) => code),
    warnings: reading.warnings.map(({ text }) => text),
    reader: reading.reader,
    elapsed_ms: reading.elapsedMs,
    id: reading.id,
    read_at: new Date(reading.readAt).toISOString(),
    patient: reading.patient.trim() || null,
    age: reading.age,
    note: reading.note || null,
    verdict: reading.verdict,
    reference: reading.reference,
    gate: reading.gate,
    logits: reading.logits,
    embedding: reading.embedding,
  };
}

export function toJsonLines(readings: readonly Reading[]): string {
  return readings.map((reading) => `${JSON.stringify(toLine(reading))}\n`).join('');
}

const COLUMNS = [
  'read_at',
  'file',
  'label',
  'patient',
  'age',
  'status',
  'probability',
  'side',
  'right_lung',
  'left_lung',
  'abnormal',
  'operating_point',
  'not_seen_below',
  'suspected_from',
  'codes',
  'reasons',
  'warning_codes',
  'warnings',
  'verdict',
  'reference',
  'note',
  'reader',
] as const;

/**
 * RFC 4180, with a byte order mark so that spreadsheets open Arabic text correctly. `ai-for-sudan adapt` takes it as it is:
 * `label` is the class that the reference standard names, not what the reader said.
 */
export function toCsv(readings: readonly Reading[], card: Card | null): string {
  const rows = readings.map((reading) => {
    const label = card && classOf(reading.reference, card);
    const line: Record<string, unknown> = { ...toLine(reading), label };
    return COLUMNS.map((column) => cell(line[column])).join(',');
  });
  return `\ufeff${[COLUMNS.join(','), ...rows].join('\r\n')}\r\n`;
}

function classOf(standard: ReferenceStandard | null, { classes, positive }: Card): string | null {
  if (standard === 'positive') return positive;
  // Of three classes and more, "not the positive one" names none.
  return standard === 'negative' && classes.length === 2 ? classes.find((name) => name !== positive)! : null;
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return cell(value.join('; '));
  // A spreadsheet would run a cell that starts so as a formula.
  const text = String(value).replace(/^([=+\-@\t\r])/, "'$1");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
