import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { ar } from './ar';
import { en, type Words } from './en';

/** The languages of the app: a new one is one file and one line here. */
export const LANGUAGES = { en, ar } satisfies Record<string, Words>;
export type Language = keyof typeof LANGUAGES;

/** `arab`: ٠١٢٣, `latn`: 0123. */
export type Digits = 'arab' | 'latn';

/** Decimals of a percentage that is shown beside another. */
const MOST_PLACES = 4;

export interface Speech {
  language: Language;
  t: Words;
  number: (value: number, digits?: number) => string;
  /**
   * A share in percent, with a decimal near the ends; what is below 1 is never shown as 100 %, nor what is above 0 as 0 %,
   * and so exact that it differs from `other`, beside which it stands. As `ai_for_sudan.pages.percent`.
   */
  percent: (share: number, other?: number) => string;
  /** So many things, in the plural form that the language has for that number. */
  count: (things: keyof Words['counted'], count: number) => string;
  days: (count: number) => string;
  /** Years, or months below two years. */
  age: (years: number) => string;
  /** From one age to another, in years. */
  ages: (range: readonly [number, number]) => string;
  date: (value: number) => string;
}

export function deviceLanguage(wanted: readonly string[] = navigator.languages): Language {
  const known = wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in LANGUAGES);
  return (known as Language | undefined) ?? 'en';
}

export function speech(language: Language, digits: Digits): Speech {
  const locale = `${language}-u-nu-${language === 'ar' ? digits : 'latn'}`;
  const t: Words = LANGUAGES[language];
  const plurals = new Intl.PluralRules(locale);
  const number = (value: number, places = 0) => value.toLocaleString(locale, { maximumFractionDigits: places });
  const unit = (value: number, name: string) =>
    value.toLocaleString(locale, { style: 'unit', unit: name, unitDisplay: 'long', maximumFractionDigits: 1 });
  return {
    language,
    t,
    number,
    percent: (share, other = share) => {
      let places = share < 0.01 || share > 0.99 ? 1 : 0;
      const shown = (value: number) => {
        const least = 10 ** -(places + 2);
        const inside = value > 0 && value < 1 ? Math.min(1 - least, Math.max(least, value)) : value;
        return inside.toLocaleString(locale, { style: 'percent', maximumFractionDigits: places });
      };
      while (share !== other && places < MOST_PLACES && shown(share) === shown(other)) places++;
      return shown(share);
    },
    count: (things, count) => {
      const forms = t.counted[things];
      return (forms[plurals.select(count)] ?? forms.other).replace('{n}', number(count));
    },
    days: (count) => unit(count, 'day'),
    age: (years) => (years < 2 && years % 1 !== 0 ? unit(years * 12, 'month') : unit(years, 'year')),
    ages: ([from, to]) => t.ages(number(from), unit(from, 'year'), unit(to, 'year')),
    date: (value) => new Date(value).toLocaleString(locale, { dateStyle: 'medium', timeStyle: 'short' }),
  };
}

export const SpeechContext = createContext<Speech>(speech('en', 'latn'));
export const useSpeech = (): Speech => useContext(SpeechContext);
