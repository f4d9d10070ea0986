import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { ar } from './ar';
import { en, type Words } from './en';

/** The languages of the app: a new one is one file and one line here. */
export const LANGUAGES = { en, ar } satisfies Record<string, Words>;
export type Language = keyof typeof LANGUAGES;

/** `arab`: ٠١٢٣, `latn`: 0123. */
export type Digits = 'arab' | 'latn';

export interface Speech {
  language: Language;
  t: Words;
  number: (value: number, digits?: number) => string;
  /** A share in percent; so exact that it differs from `other`, with which it is compared. */
  percent: (share: number, other?: number) => string;
  days: (count: number) => string;
  date: (value: number) => string;
}

export function deviceLanguage(wanted: readonly string[] = navigator.languages): Language {
  const known = wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in LANGUAGES);
  return (known as Language | undefined) ?? 'en';
}

export function speech(language: Language, digits: Digits): Speech {
  const locale = `${language}-u-nu-${language === 'ar' ? digits : 'latn'}`;
  return {
    language,
    t: LANGUAGES[language],
    number: (value, places = 0) => value.toLocaleString(locale, { maximumFractionDigits: places }),
    // One decimal near the ends, and never 100 % or 0 %: no reader is that sure.
    percent: (share, other = share) => {
      const close = share !== other && Math.round(share * 100) === Math.round(other * 100);
      return Math.min(0.999, Math.max(0.001, share)).toLocaleString(locale, {
        style: 'percent',
        maximumFractionDigits: close ? 2 : share < 0.01 || share > 0.99 ? 1 : 0,
      });
    },
    days: (count) => count.toLocaleString(locale, { style: 'unit', unit: 'day', unitDisplay: 'long' }),
    date: (value) => new Date(value).toLocaleString(locale, { dateStyle: 'medium', timeStyle: 'short' }),
  };
}

export const SpeechContext = createContext<Speech>(speech('en', 'latn'));
export const useSpeech = (): Speech => useContext(SpeechContext);
