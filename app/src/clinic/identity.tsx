import type { Row } from './api';
import { useWords } from './words';

/** A name as DICOM writes it, as people write it: the part in the script of the screen where there are several. */
export function nameOf(name: string, language: string): string {
  const groups = name.split('=').map((group) => group.replaceAll('^', ' ').replace(/\s+/g, ' ').trim());
  const arabic = (group: string) => /\p{Script=Arabic}/u.test(group) === (language === 'ar');
  return groups.find((group) => group && arabic(group)) ?? groups.find(Boolean) ?? '';
}

/** Who it is, how old, and when the film was made: the same words in lists, above films and in reports. */
export function usePerson(): (row: Row) => { who: string; number: string; about: string; made: string } {
  const { w, age, day, moment, date, language } = useWords();
  return (row) => ({
    who: nameOf(row.name, language) || row.patient || row.file_name || w.worklist.noPatient,
    number: row.name ? row.patient : '',
    about: [row.age_years === null ? '' : age(row.age_years), w.film.sexes[row.sex] ?? ''].filter(Boolean).join(' · '),
    made: row.date
      ? row.time
        ? moment(row.date, row.time)
        : day(row.date)
      : `${w.film.arrived}: ${date(Date.parse(row.arrived_at))}`,
  });
}

/** The strip that stands above a film and never leaves it. */
export function IdentityStrip({ row, children }: { row: Row; children?: preact.ComponentChildren }) {
  const { w } = useWords();
  const { who, number, about, made } = usePerson()(row);
  return (
    <div class={`identity ${row.identity}`}>
      <strong>
        <bdi>{who}</bdi>
      </strong>
      {number && <bdi>{number}</bdi>}
      {about && <span>{about}</span>}
      <span>{made}</span>
      {(row.later || row.earlier) && (
        <span class={row.later ? 'older' : 'newest'}>{row.later ? w.film.older : w.film.newest}</span>
      )}
      {children}
    </div>
  );
}
