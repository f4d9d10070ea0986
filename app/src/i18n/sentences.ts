/** What is said of a reading, in the words of the screen's language. */
import type { Card } from '../contract/card';
import type { OperatingPoint } from '../contract/operating_point';
import type { Reading } from '../worklist/reading';
import type { Speech } from './index';

export function sentence(reading: Reading, { t, percent }: Speech, card: Card | null): string {
  const { status } = reading;
  if (status === 'refused' || status === 'failed') return t.sentence[status];
  const probability = reading.probability!;
  const { not_seen_below: low, suspected_from: high } = card?.operatingPoints[reading.operatingPoint] ?? {
    not_seen_below: reading.notSeenBelow,
    suspected_from: reading.suspectedFrom,
  };
  if (status === 'suspected') return t.sentence.suspected(percent(probability, high), percent(high, probability));
  if (status === 'not_seen') return t.sentence.not_seen(percent(probability, low), percent(low, probability));
  if (!reading.codes.includes('abstained')) return t.sentence.doubtful(percent(probability));
  return t.sentence.uncertain(percent(probability), percent(low), percent(high));
}

/** The status, with the lung that it speaks of. */
export function statusOf({ status, side }: Pick<Reading, 'status' | 'side'>, { t }: Speech): string {
  return side ? `${t.status[status]}: ${t.side[side]}` : t.status[status];
}

/** Why a film was refused and what to do, in the language of the screen or else in the card's words. */
export function reasonOf(code: string, { t }: Speech, card: Card | null): { reason: string; advice: string } {
  const known = t.codes[code];
  if (known) return { reason: known[0], advice: known[1] };
  // The reader itself could not be used.
  const trouble = (t.reader as Record<string, string>)[code];
  if (trouble) return { reason: trouble, advice: '' };
  const score = card?.gate.find((one) => one.code === code);
  return { reason: score?.reason ?? code, advice: score?.advice ?? '' };
}

/** What a person should know of a reading, in the language of the screen or else in English. */
export function warningsOf(reading: Reading, { t, age, ages }: Speech, card: Card | null): string[] {
  const known = [reading.age === null ? '' : age(reading.age), card?.ageYears ? ages(card.ageYears) : ''] as const;
  return reading.warnings.map(({ code, text }) => t.warnings[code]?.(...known) ?? text);
}

/** For whom a reader was made; nothing where its card does not say. */
export function population({ ageYears }: Card, { t, ages }: Speech): string {
  if (!ageYears) return '';
  return (ageYears[1] < 18 ? t.madeForChildren : t.madeForPatients)(ages(ageYears));
}

/** What the reader promises at an operating point, and what was measured, a sentence each; nothing where it is not said. */
export function promises({ missed, false_alarms, measured }: OperatingPoint, { t, percent }: Speech): string[] {
  const said = missed && false_alarms ? [t.point.promise(percent(missed), percent(false_alarms))] : [];
  const share = (value: number | null) => (value === null ? '—' : percent(value));
  for (const [films, { positive, negative, all }] of Object.entries(measured ?? {})) {
    const shares = [positive.shares.not_seen, negative.shares.suspected, all.shares.uncertain];
    said.push(t.point.measured(films, ...shares.map(([value]) => share(value))));
  }
  return said;
}

export function pointName(name: string, { t }: Speech): string {
  return typeof t.point[name] === 'string' ? t.point[name] : name;
}
