import { deviceLanguage, type Digits, type Language } from '../i18n';

export interface Settings {
  language: Language;
  digits: Digits;
  /** Name of an operating point of the card; null for the reader's own choice. */
  operatingPoint: string | null;
  /** Readings older than so many days are deleted; 0 keeps them. */
  keepDays: number;
}

const KEY = 'settings';

export function loadSettings(): Settings {
  const ours: Settings = { language: deviceLanguage(), digits: 'arab', operatingPoint: null, keepDays: 30 };
  try {
    return { ...ours, ...JSON.parse(localStorage.getItem(KEY) ?? '{}') };
  } catch {
    return ours;
  }
}

export function keepSettings(settings: Settings): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // A private window: the choice lasts as long as the page.
  }
}
