import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readCard } from '../../src/contract/card';
import { deviceLanguage, LANGUAGES, speech } from '../../src/i18n';
import { parseNumber } from '../../src/i18n/numbers';
import { load } from './contract/vectors';

describe('languages', () => {
  // Plural forms differ from language to language.
  const shape = (value: unknown): unknown =>
    typeof value === 'object' && value !== null && 'other' in value
      ? 'plural'
      : typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(
            Object.entries(value)
              .sort()
              .map(([key, part]) => [key, shape(part)]),
          )
        : Array.isArray(value)
          ? value.length
          : typeof value;

  test('every language says everything', () => {
    for (const words of Object.values(LANGUAGES))
      expect(shape({ ...words, card: {} })).toEqual(shape({ ...LANGUAGES.en, card: {} }));
  });

  const texts = (value: unknown): string[] =>
    typeof value === 'string' ? [value] : typeof value === 'object' && value ? Object.values(value).flatMap(texts) : [];

  test('no digit stands in the words: the user chooses which digits are shown', () => {
    expect(texts(LANGUAGES.ar).filter((text) => /[0-9\u0660-\u0669]/.test(text))).toEqual([]);
    expect([speech('ar', 'latn').days(7), speech('ar', 'arab').days(30)]).toEqual(['7 أيام', '٣٠ يومًا']);
  });

  test('no English word is left in Arabic, beside names', () => {
    const latin = texts({ ...LANGUAGES.ar, direction: '', counted: {}, card: {} }).flatMap(
      (text) => text.match(/[A-Za-z]{2,}/g) ?? [],
    );
    expect(latin.filter((word) => !/^(JPEG|PNG|WebP|DICOM|PDF|CSV|HEIC|TIFF|JSON|lines|HTTPS?)$/.test(word))).toEqual(
      [],
    );
  });

  test('every language has a text for each of its plural forms', () => {
    for (const [language, { counted }] of Object.entries(LANGUAGES)) {
      const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories.sort();
      for (const texts of Object.values(counted)) expect(Object.keys(texts).sort()).toEqual(forms);
    }
  });

  test('numbers of things, ages and ranges, as each language says them', () => {
    const english = speech('en', 'latn');
    const arabic = speech('ar', 'latn');
    expect([1, 20].map((n) => english.count('films', n))).toEqual(['1 film', '20 films']);
    expect([1, 2, 3, 11, 100].map((n) => arabic.count('films', n))).toEqual([
      'صورة واحدة',
      'صورتان',
      '3 صور',
      '11 صورة',
      '100 صورة',
    ]);
    expect([0.5, 1, 34].map(english.age)).toEqual(['6 months', '1 year', '34 years']);
    expect([0.5, 1, 2, 5, 34].map(arabic.age)).toEqual(['6 أشهر', 'سنة', 'سنتان', '5 سنوات', '34 سنة']);
    expect(english.ages([1, 5])).toBe('1 to 5 years');
    expect(arabic.ages([1, 5])).toBe('سنة إلى 5 سنوات');
  });

  test('what the shipped reader says of itself is said in every language', () => {
    const { reader } = JSON.parse(readFileSync('package.json', 'utf8')).config;
    const card = readCard(new Uint8Array(readFileSync(reader)));
    for (const [language, { card: texts }] of Object.entries(LANGUAGES))
      if (language !== 'en')
        expect(Object.keys(texts)).toEqual(expect.arrayContaining([card.intendedUse, card.training]));
  });

  test.each([
    ['0.5', 0.5],
    ['1,5', 1.5],
    ['٠٫٥', 0.5],
    ['١٫٥', 1.5],
    ['١،٥', 1.5],
    ['۳', 3],
    [' 12 ', 12],
    ['5.', 5],
    ['.5', 0.5],
  ])('%s is a number', (text, value) => expect(parseNumber(text)).toBe(value));

  test.each(['', '.', '1.2.3', '-1', '1e3', 'five', '1 year'])('"%s" is none', (text) =>
    expect(parseNumber(text)).toBe(null),
  );

  test('the first language of the device that is known', () => {
    expect([deviceLanguage(['fr', 'ar-SD', 'en']), deviceLanguage(['fr']), deviceLanguage(['en-US', 'ar'])]).toEqual([
      'ar',
      'en',
      'en',
    ]);
  });

  // Never "50%, below the limit of 50%", nor 100 % of what is only nearly so.
  test.each<[number, number | null, string]>(load('percent'))('%s beside %s is %s %', (share, other, shown) =>
    expect(speech('en', 'latn').percent(share, other ?? undefined)).toBe(`${shown}%`),
  );

  test('percentages in the digits of the language', () => {
    expect(speech('en', 'arab').percent(0.873)).toBe('87%');
    expect(speech('ar', 'arab').percent(0.873)).toContain('٨٧');
    expect(speech('ar', 'latn').percent(0.873)).toContain('87');
  });
});
