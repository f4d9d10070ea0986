import { type Speech, useSpeech } from '../../i18n';
import { ar } from './ar';
import { en, type Words } from './en';

const LANGUAGES = { en, ar } satisfies Record<string, Words>;

/** The words of the clinic in the language of the screen, beside those of the app. */
export function useWords(): Speech & {
  w: Words;
  day: (date: string) => string;
  moment: (date: string, time: string) => string;
} {
  const speech = useSpeech();
  const locale = speech.language === 'ar' ? 'ar-u-nu-arab' : 'en';
  return {
    ...speech,
    w: LANGUAGES[speech.language],
    // The day of an examination is the modality's own: it has no hour that a time zone could move.
    moment: (date, time) =>
      new Date(`${date.slice(0, 10)}T${time}Z`).toLocaleString(locale, {
        dateStyle: 'medium',
        timeStyle: 'short',
        timeZone: 'UTC',
      }),
    day: (date) => new Date(date.slice(0, 10)).toLocaleDateString(locale, { dateStyle: 'medium', timeZone: 'UTC' }),
  };
}

/** Why a call was refused, in words. */
export function faultIn(
  words: Words,
  { number }: Pick<Speech, 'number'>,
  code: string,
  facts: Record<string, any>,
): string {
  const said = words.errors[code];
  if (code === 'password') return words.password.faults[facts.fault] ?? words.errors.unexpected;
  if (typeof said === 'function') return said(`${number(facts.seconds ?? 30)} s`);
  // A code that no page knows: the server's own words are better than none.
  return said ?? facts.message ?? words.errors.unexpected;
}

/** The digits of any of the two scripts as Latin ones. */
export const latin = (text: string): string => text.replace(/[٠-٩]/g, (digit) => String('٠١٢٣٤٥٦٧٨٩'.indexOf(digit)));
