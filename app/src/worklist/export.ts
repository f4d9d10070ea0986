import type { Reading } from './reading';

/** One line of `ai-for-sudan read --json`, with what the clinic added. */
export function toLine(reading: Reading, reasons: readonly string[]): Record<string, unknown> {
  return {
    file: reading.file,
    status: reading.status,
    label: reading.label,
    probability: reading.probability,
    operating_point: reading.operatingPoint,
    threshold: reading.threshold,
    codes: reading.codes,
    reasons,
    reader: reading.reader,
    elapsed_ms: reading.elapsedMs,
    read_at: new Date(reading.readAt).toISOString(),
    patient: reading.patient.trim() || null,
    age: reading.age,
    note: reading.note || null,
    verdict: reading.verdict,
    reference: reading.reference,
    warnings: reading.warnings,
    gate: reading.gate,
    logits: reading.logits,
    embedding: reading.embedding,
  };
}

export function toJsonLines(readings: readonly Reading[], reasonsOf: (reading: Reading) => string[]): string {
  return readings.map((reading) => `${JSON.stringify(toLine(reading, reasonsOf(reading)))}\n`).join('');
}

const COLUMNS = [
  'read_at',
  'patient',
  'age',
  'file',
  'status',
  'probability',
  'operating_point',
  'threshold',
  'codes',
  'verdict',
  'reference',
  'note',
  'reader',
] as const;

/** RFC 4180, with a byte order mark so that spreadsheets open Arabic text rightly. */
export function toCsv(readings: readonly Reading[]): string {
  const rows = readings.map((reading) => {
    const line = toLine(reading, []);
    return COLUMNS.map((column) => cell(column === 'codes' ? reading.codes.join(' ') : line[column])).join(',');
  });
  return `\ufeff${[COLUMNS.join(','), ...rows].join('\r\n')}\r\n`;
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  // A spreadsheet would run a cell that starts so as a formula.
  const text = String(value).replace(/^([=+\-@\t\r])/, "'$1");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
