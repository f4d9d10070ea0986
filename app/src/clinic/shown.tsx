import { OUTLINE_AT } from '../contract/colours';
import { outlines } from '../reader/outline';
import type { KeptFilm, Reading } from '../worklist/reading';
import { reasonOf } from '../i18n/sentences';
import type { Film, Row } from './api';
import { useDesk } from './desk';
import { useWords } from './words';

/** A film of the server as the app's components take it. */
export function readingOf(film: Film): Reading {
  const reading = film.reading!;
  const standing = film.history.filter((verdict) => !film.history.some((later) => later.amends === verdict.id));
  const newest = standing.at(-1);
  return {
    id: String(film.id),
    readAt: Date.parse(reading.read_at),
    file: '',
    status: reading.status,
    probability: reading.probability,
    label: null,
    side: reading.side,
    rightLung: reading.right_lung,
    leftLung: reading.left_lung,
    abnormal: reading.abnormal,
    logits: [],
    gate: [],
    embedding: [],
    operatingPoint: reading.operating_point,
    notSeenBelow: reading.not_seen_below,
    suspectedFrom: reading.suspected_from,
    codes: reading.codes,
    reasons: [],
    warnings: reading.warnings.map(([code, text]) => ({ code, text })),
    reader: reading.reader,
    elapsedMs: reading.elapsed_ms,
    patient: film.patient,
    age: film.age_years,
    note: '',
    verdict: newest?.agreement ?? null,
    reference: newest?.diagnosis || null,
  };
}

export function pictureOf(film: Film): KeptFilm | null {
  if (!film.available || !film.reading || film.reading.status === 'failed') return null;
  const { heatmap, lungs } = film.reading;
  return {
    picture: `/api/films/${film.id}/picture`,
    heatmap: heatmap?.values ?? [0],
    heatmapSize: heatmap?.size ?? [1, 1],
    ...(lungs && { lungs: outlines(lungs.values, lungs.size, 255 * OUTLINE_AT) }),
  };
}

/** Time since a moment, in the largest unit that fits: what waits is read at one glance. */
export function since(moment: string, language: string, now = Date.now()): string {
  const minutes = Math.max(0, Math.round((now - Date.parse(moment)) / 60_000));
  const [value, unit] =
    minutes < 60
      ? [minutes, 'minute']
      : minutes < 2880
        ? [Math.round(minutes / 60), 'hour']
        : [Math.round(minutes / 1440), 'day'];
  return new Intl.NumberFormat(language === 'ar' ? 'ar-u-nu-arab' : 'en', {
    style: 'unit',
    unit: unit as string,
    unitDisplay: 'long',
  }).format(value as number);
}

/** Why a person must look at a film at once. */
export function AtOnce({ row }: { row: Row }) {
  const speech = useWords();
  const { card } = useDesk();
  if (row.at_once.length === 0) return null;
  return (
    <p class="at-once">
      <strong>{speech.w.worklist.atOnce}</strong>{' '}
      {row.at_once.map((code) => reasonOf(code, speech, card).reason).join(' ')}
    </p>
  );
}
