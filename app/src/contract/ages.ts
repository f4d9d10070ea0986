/** A patient's age from a DICOM header, and whether a reader was made for it. */
import rules from '../../../src/ai_for_sudan/contract/ages.json';
import { type Remark, remark } from './codes';

const AGE_STRING = new RegExp(rules.age_string);
const DATE = new RegExp(rules.date);
const DAY = 86_400_000;

/** Keywords of the elements that say when the film was made; the first that does counts. */
export const EXAMINED: readonly string[] = rules.examined;

/** In years, from an Age String (nnnD, nnnW, nnnM, nnnY), or else from the two dates. */
export function ageYears(age: string | null, born: string | null = null, examined: string | null = null) {
  const match = AGE_STRING.exec(age ?? '');
  if (match) return (Number(match[1]) * rules.days[match[2] as keyof typeof rules.days]) / rules.days_a_year;
  const [birth, day] = [isoDate(born), isoDate(examined)];
  if (birth === null || day === null) return null;
  const years = Math.round((Date.parse(day) - Date.parse(birth)) / DAY) / rules.days_a_year;
  return years >= 0 && years < rules.oldest ? years : null;
}

/** Date (PS3.5 6.2, VR DA): YYYYMMDD -> YYYY-MM-DD; null for what is not a day. */
function isoDate(text: string | null): string | null {
  const match = DATE.exec(text ?? '');
  if (!match || match[1] === '0000') return null;
  const written = match.slice(1).join('-');
  const time = Date.parse(written);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(written) ? written : null;
}

/** Whether `years` lies outside of a card's population: five years last until the sixth birthday. */
export function outside(ages: readonly [number, number] | null, years: number | null): boolean {
  return ages !== null && years !== null && !(years >= ages[0] && years < ages[1] + 1);
}

/** What a reading of a patient outside of `ages` must carry. */
export function ageWarning(ages: readonly [number, number], years: number): Remark {
  const [age, from, to] = [years, ...ages].map((value) => halfToEven(value).toString());
  return remark('age_outside', { age, from, to });
}

/** As Python writes a number without decimals. */
function halfToEven(value: number): number {
  const whole = Math.round(value);
  return Math.abs(value % 1) === 0.5 && whole % 2 ? whole - 1 : whole;
}
