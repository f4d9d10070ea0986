import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { READING_KEYS } from '../../src/contract/names';
import { parseNumber } from '../../src/i18n/numbers';
import { FILMS, kept, PYTHON, read, show, test } from './harness';

const STATUSES = ['not_seen', 'refused', 'uncertain', 'suspected'];

async function readAll(page: Page): Promise<void> {
  await show(page);
  await page.locator('[data-input=gallery]').setInputFiles(STATUSES.map((status) => join(FILMS, `${status}.png`)));
  await page.getByRole('button', { name: 'Open the worklist' }).click();
  await expect.poll(() => page.locator('.list li').count()).toBe(STATUSES.length);
}

const listed = (page: Page) => page.locator('.list li').evaluateAll((items) => items.map((item) => item.className));

async function exported(page: Page, button: string): Promise<string> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: button }).click(),
  ]);
  return readFileSync((await download.path())!, 'utf8');
}

/** What a command of the Python package prints. */
function command(...words: string[]): string {
  const run = 'import sys; from ai_for_sudan.cli import main; sys.exit(main(sys.argv[1:]))';
  return execFileSync(PYTHON, ['-c', run, ...words], { encoding: 'utf8' });
}

async function setPin(page: Page, pin: string): Promise<void> {
  await show(page, 'settings');
  await page.getByRole('button', { name: /^(Set a|Change the) PIN/ }).click();
  await page.getByLabel('PIN', { exact: true }).fill(pin);
  await page.getByLabel('Repeat the PIN').fill(pin);
  await page.getByRole('button', { name: /^(Set a|Change the) PIN/ }).click();
  await page.getByText('Readings are encrypted with your PIN.').waitFor();
}

describe('the worklist', () => {
  test('is most urgent first, and what was read by a person goes last', async ({ page }) => {
    await readAll(page);
    expect(await listed(page)).toEqual(['suspected', 'uncertain', 'refused', 'not_seen']);
    await page.locator('.list li.suspected a').click();
    await page.getByLabel('I disagree').check();
    await page.getByText('Saved on this device').waitFor();
    await show(page, 'worklist');
    await expect.poll(() => listed(page)).toEqual(['uncertain', 'refused', 'not_seen', 'suspected']);
    expect(await page.locator('.list li.suspected').textContent()).toContain('I disagree');
  });

  test('keeps what is written, over a reload, and finds it', async ({ page }) => {
    await readAll(page);
    await page.locator('.list li.suspected a').click();
    await page.getByLabel('Patient code').fill('KRT-017');
    await page.getByLabel('Age', { exact: true }).fill('34');
    await page.getByLabel('Note').focus();
    await page.locator('.reading').getByText("The patient's age (34 years) is outside 1 to 5 years").waitFor();
    await page.getByLabel('Note').fill('سعال وحمى');
    await page.getByLabel('Final diagnosis').selectOption('positive');
    await page.getByText('Saved on this device').waitFor();
    await page.reload();
    expect(await page.getByLabel('Patient code').inputValue()).toBe('KRT-017');
    expect(await page.getByLabel('Age', { exact: true }).inputValue()).toBe('34');
    await page.locator('canvas.heatmap').waitFor();
    await show(page, 'worklist');
    await page.getByLabel(/^Search/).fill('krt حمى');
    expect(await listed(page)).toEqual(['suspected']);
    await page.getByLabel(/^Search/).fill('nothing like it');
    await page.getByText('Nothing matches the search.').waitFor();
  });

  test('deletes one and all, but asks first', async ({ page }) => {
    await readAll(page);
    await page.getByRole('button', { name: /^Delete this reading: refused/ }).click();
    await page.getByRole('button', { name: 'Keep' }).click();
    expect((await kept(page)).length).toBe(4);
    await page.getByRole('button', { name: /^Delete this reading: refused/ }).click();
    await page.locator('dialog').getByRole('button', { name: 'Delete this reading' }).click();
    await expect.poll(() => listed(page)).toEqual(['suspected', 'uncertain', 'not_seen']);
    await page.getByRole('button', { name: 'Delete all readings' }).click();
    await page.locator('dialog').getByRole('button', { name: 'Delete all readings' }).click();
    await page.getByText('No readings on this device yet.').waitFor();
    expect(await kept(page)).toEqual([]);
  });

  test('is exported as JSON lines and as a table', async ({ page }) => {
    await readAll(page);
    await page.locator('.list li.suspected a').click();
    await page.getByLabel('Patient code').fill('=1+1');
    await page.getByLabel('Note').fill('line one\n"two", three');
    await page.getByText('Saved on this device').waitFor();
    await show(page, 'worklist');
    await page.locator('.list li').first().waitFor();
    const lines = (await exported(page, 'For monitoring'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map((line) => line.status)).toEqual(['suspected', 'uncertain', 'refused', 'not_seen']);
    for (const line of lines) {
      expect(Object.keys(line).slice(0, READING_KEYS.length)).toEqual(READING_KEYS);
      expect(line.probability).toBeGreaterThan(0);
    }
    expect(lines[0].patient).toBe('=1+1');
    expect(lines[2].reasons.length).toBe(lines[2].codes.length);
    const table = await exported(page, 'Table, also for adaptation');
    expect(table.startsWith('\ufeffread_at,file,label,patient,')).toBe(true);
    expect(table).toContain(`,'=1+1,`);
    expect(table).toContain('"line one\n""two"", three"');
  });

  test.for([
    ['en-GB', 'Age', 'Unit of the age', 'Note', 'months', ['0.5', '1.5', '.5', '0,75', '12']],
    ['ar', 'العمر', 'وحدة العمر', 'ملاحظة', 'بالأشهر', ['٠٫٥', '١٫٥', '0.5', '١,٥', '١٢']],
  ] as const)(
    'keeps an age as it is typed, key by key, in %s',
    async ([locale, age, unit, note, months, typed], { open }) => {
      const page = await open({ locale });
      await read(page, join(FILMS, 'suspected.png'));
      const field = page.getByLabel(age, { exact: true });
      const kept_age = async () => (await kept(page))[0].value.age;
      for (const text of typed) {
        await field.fill('');
        await field.pressSequentially(text, { delay: 20 });
        expect(await field.inputValue()).toBe(text);
        await page.getByLabel(note, { exact: true }).focus();
        expect(await field.inputValue()).toBe(text);
        await expect.poll(kept_age).toBe(parseNumber(text));
      }
      await page.getByLabel(unit).selectOption({ label: months });
      await expect.poll(kept_age).toBe(1);
      await field.fill('five');
      await page.getByLabel(note, { exact: true }).focus();
      await page.locator('.wrong').waitFor();
      expect(await field.inputValue()).toBe('five');
      await expect.poll(kept_age).toBe(null);
    },
  );

  test('a warning stands with the answer, in the report, in what is shared and in both exports', async ({ page }) => {
    await read(page, join(FILMS, 'adult.dcm'));
    const said = "The patient's age (34 years) is outside 1 to 5 years";
    expect(await page.locator('.reading').textContent()).toContain(said);
    await page.evaluate(() => {
      Object.defineProperty(navigator, 'share', {
        value: async (data: ShareData) => void ((window as any).shared = data),
      });
    });
    await page.getByRole('link', { name: 'One-page report' }).click();
    await page.locator('.report').waitFor();
    expect(await page.locator('.report').textContent()).toContain(said);
    await page.getByRole('button', { name: 'Share' }).click();
    expect(await page.evaluate(() => (window as any).shared.text)).toContain(said);
    await show(page, 'worklist');
    await page.locator('.list li').first().waitFor();
    const line = JSON.parse(await exported(page, 'For monitoring'));
    const python = JSON.parse(readFileSync(join(FILMS, 'adult.json'), 'utf8'));
    expect([line.warning_codes, line.warnings]).toEqual([python.codes, python.texts]);
    expect(line.warning_codes[0]).toBe('age_outside');
    const table = await exported(page, 'Table, also for adaptation');
    expect(table).toContain(',age_outside');
    expect(table).toContain(python.texts[0]);
  });

  test('takes an export in again, without the films', async ({ page }) => {
    await readAll(page);
    const lines = await exported(page, 'For monitoring');
    await page.getByRole('button', { name: 'Delete all readings' }).click();
    await page.locator('dialog').getByRole('button', { name: 'Delete all readings' }).click();
    await page.getByText('No readings on this device yet.').waitFor();
    const input = page.locator('[data-input=import]');
    const file = (text: string) => ({ name: 'readings.jsonl', mimeType: 'text/plain', buffer: Buffer.from(text) });
    await input.setInputFiles(file(`${lines}{"status": "suspected"}\n`));
    await page.getByText('Line 5 is not a reading from this app: nothing was imported.').waitFor();
    expect(await kept(page)).toEqual([]);
    await input.setInputFiles(file(lines));
    await page.getByText('Imported: 4 readings.').waitFor();
    expect(await listed(page)).toEqual(['suspected', 'uncertain', 'refused', 'not_seen']);
    expect(await exported(page, 'For monitoring')).toBe(lines);
    await page.locator('.list li.suspected a').click();
    await page.getByText('The film itself is not on this device').waitFor();
  });

  test('leaves what `monitor` and `adapt` take', async ({ page }) => {
    await readAll(page);
    await page.locator('.list li.suspected a').click();
    await page.getByLabel('Patient code').fill('KRT-017');
    await page.getByLabel('Final diagnosis').selectOption('positive');
    await page.getByText('Saved on this device').waitFor();
    await show(page, 'worklist');
    await page.locator('.list li').first().waitFor();
    const folder = mkdtempSync(join(tmpdir(), 'site-'));
    try {
      for (const status of STATUSES) copyFileSync(join(FILMS, `${status}.png`), join(folder, `${status}.png`));
      writeFileSync(join(folder, 'readings.jsonl'), await exported(page, 'For monitoring'));
      writeFileSync(join(folder, 'readings.csv'), await exported(page, 'Table, also for adaptation'));
      const watched = command('monitor', join(folder, 'readings.jsonl'), '--output_dir', folder);
      expect(watched).toContain('4 readings of');
      expect(watched).toContain('0 lines left out');
      const site = ['--site', 'Here', '--data_dir', join(folder, 'readings.csv'), '--output_dir', folder];
      const adapted = command('adapt', '--reader', process.env.READER!, ...site, '--threads', '1');
      expect(adapted).toContain('3 films read (1 labelled), 1 refused, 0 excluded');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('makes a report of one page, in both languages', async ({ page }) => {
    await read(page, join(FILMS, 'suspected.png'));
    await page.getByLabel('Patient code').fill('KRT-017');
    await page.getByText('Saved on this device').waitFor();
    await page.getByRole('link', { name: 'One-page report' }).click();
    await page.getByRole('heading', { name: 'Report of a chest X-ray reading' }).waitFor();
    for (const words of [
      'KRT-017',
      'Pneumonia suspected',
      'Decision support, not a diagnosis: a clinician decides.',
      'Made for children aged 1 to 5 years.',
    ]) {
      expect(await page.locator('.report').textContent()).toContain(words);
    }
    const pages = async () =>
      ((await page.pdf({ format: 'A4' })).toString('latin1').match(/\/Type\s*\/Page\b/g) ?? []).length;
    expect(await pages()).toBe(1);
    await page.getByRole('button', { name: 'العربية' }).click();
    await page.getByRole('heading', { name: 'تقرير قراءة أشعة الصدر' }).waitFor();
    expect(await pages()).toBe(1);
    // On paper the answer is dark on light, however the screen is.
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    const answer = await page.locator('.reading').evaluate((box) => getComputedStyle(box).backgroundColor);
    expect(answer).toBe('rgb(253, 233, 230)');
  });

  test('wipes what is older than the chosen time', async ({ page }) => {
    await readAll(page);
    // Set one reading back by two days.
    await page.evaluate(async () => {
      const database = await new Promise<IDBDatabase>((done) => {
        const request = indexedDB.open('ai-for-sudan');
        request.onsuccess = () => done(request.result);
      });
      const store = database.transaction('readings', 'readwrite').objectStore('readings');
      const rows = await new Promise<any[]>((done) => {
        const request = store.getAll();
        request.onsuccess = () => done(request.result);
      });
      const old = rows.find((row) => row.value.status === 'refused');
      store.put({ ...old, readAt: old.readAt - 2 * 86_400_000 });
      await new Promise((done) => (store.transaction.oncomplete = done));
      database.close();
    });
    await show(page, 'settings');
    await page.getByLabel('Delete readings after').selectOption('7');
    expect((await kept(page)).length).toBe(4);
    await page.getByLabel('Delete readings after').selectOption('1');
    await expect.poll(async () => (await kept(page)).length).toBe(3);
    expect((await kept(page)).map((row) => row.value.status)).not.toContain('refused');
  });
});

describe('the PIN', () => {
  test('encrypts all that is kept, and opens it again', async ({ page }) => {
    await readAll(page);
    await setPin(page, '246810');
    const rows = await kept(page);
    expect(rows.length).toBe(4);
    for (const row of rows) {
      expect(row.value).toBeUndefined();
      expect(row.sealed.data).toBeDefined();
      expect(row.film.value).toBeUndefined();
    }
    // A film read while unlocked is sealed too.
    await read(page, join(FILMS, 'suspected.png'));
    expect((await kept(page)).every((row) => row.value === undefined)).toBe(true);

    await page.reload();
    await show(page, 'worklist');
    await page.getByRole('heading', { name: 'The worklist is locked' }).waitFor();
    await page.getByLabel('PIN', { exact: true }).fill('135791');
    await page.getByRole('button', { name: 'Unlock' }).click();
    await page.getByText('Wrong PIN.').waitFor();
    expect(await page.locator('.list').count()).toBe(0);
    // Arabic-Indic digits are the same PIN.
    await page.getByLabel('PIN', { exact: true }).fill('٢٤٦٨١٠');
    await page.getByRole('button', { name: 'Unlock' }).click();
    await expect.poll(() => page.locator('.list li').count()).toBe(5);
  });

  test('locks what is on the screen too', async ({ page }) => {
    await read(page, join(FILMS, 'suspected.png'));
    await page.getByRole('link', { name: 'One-page report' }).click();
    await page.locator('.report').waitFor();
    await setPin(page, '246810');
    await page.getByRole('button', { name: 'Lock now' }).click();
    await page.goBack();
    await page.getByRole('heading', { name: 'The worklist is locked' }).waitFor();
    expect(await page.locator('.report').count()).toBe(0);
    await page.goBack();
    await page.getByRole('heading', { name: 'The worklist is locked' }).waitFor();
    expect(await page.locator('.reading').count()).toBe(0);
    await page.getByLabel('PIN', { exact: true }).fill('246810');
    await page.getByRole('button', { name: 'Unlock' }).click();
    await page.locator('.reading.suspected').waitFor();
  });

  test('locks by itself when the phone was put away', async ({ page }) => {
    await setPin(page, '246810');
    await readAll(page);
    const away = (minutes: number) =>
      page.evaluate((passed) => {
        const now = Date.now();
        for (const [hidden, time] of [
          [true, now],
          [false, now + passed * 60_000],
        ] as const) {
          Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
          Date.now = () => time;
          document.dispatchEvent(new Event('visibilitychange'));
        }
      }, minutes);
    await away(4);
    expect(await listed(page)).toHaveLength(STATUSES.length);
    await away(6);
    await page.getByRole('heading', { name: 'The worklist is locked' }).waitFor();
  });

  test('locked, many films are not read into nothing', async ({ page }) => {
    await setPin(page, '246810');
    await page.getByRole('button', { name: 'Lock now' }).click();
    await show(page);
    await page.locator('[data-input=gallery]').setInputFiles(STATUSES.map((status) => join(FILMS, `${status}.png`)));
    await page.getByText('Stopped after 0 of 4 films.').waitFor();
    await page.getByText('The worklist is locked: new readings are not saved.').waitFor();
  });

  test('locked, a film is read and shown but not kept', async ({ page }) => {
    await setPin(page, '246810');
    await page.getByRole('button', { name: 'Lock now' }).click();
    await page.getByRole('heading', { name: 'The worklist is locked' }).waitFor();
    await read(page, join(FILMS, 'suspected.png'));
    await page.getByText('The worklist is locked: new readings are not saved.').waitFor();
    expect(await kept(page)).toEqual([]);
  });

  test('makes a guesser wait', async ({ page }) => {
    await setPin(page, '246810');
    await page.getByRole('button', { name: 'Lock now' }).click();
    for (let wrong = 0; wrong < 5; wrong++) {
      await page.getByLabel('PIN', { exact: true }).fill('000000');
      await page.getByRole('button', { name: 'Unlock' }).click();
      await expect.poll(() => page.getByLabel('PIN', { exact: true }).inputValue()).toBe('');
    }
    await page.getByText(/Wait \d+ seconds/).waitFor();
    await page.reload();
    await page.getByText(/Wait \d+ seconds/).waitFor();
    await page.getByLabel('PIN', { exact: true }).fill('246810');
    expect(await page.getByRole('button', { name: 'Unlock' }).isDisabled()).toBe(true);
  });

  test('is removed with the readings in the clear, or forgotten with the readings gone', async ({ page }) => {
    await readAll(page);
    await setPin(page, '246810');
    await page.getByRole('button', { name: 'Remove the PIN' }).click();
    await page.getByText('Anyone who holds this device can open the readings.').waitFor();
    expect((await kept(page)).map((row) => row.value.status).sort()).toEqual([...STATUSES].sort());
    await setPin(page, '112233');
    await page.getByRole('button', { name: 'Lock now' }).click();
    const dialog = page.locator('dialog');
    const forget = () => page.getByRole('button', { name: 'Forgot the PIN?' }).click();
    // It says what is lost, and asks twice; either question can be taken back.
    await forget();
    await dialog.getByText('4 readings with patient codes, verdicts, notes and films must be deleted').waitFor();
    await dialog.getByRole('button', { name: 'Keep' }).click();
    await forget();
    await dialog.getByRole('button', { name: 'Continue' }).click();
    await dialog.getByText('4 readings will be deleted from this device permanently').waitFor();
    await dialog.getByRole('button', { name: 'Keep' }).click();
    expect((await kept(page)).length).toBe(4);
    await forget();
    await dialog.getByRole('button', { name: 'Continue' }).click();
    await dialog.getByRole('button', { name: 'Delete all readings' }).click();
    await expect.poll(async () => (await kept(page)).length).toBe(0);
    await read(page, join(FILMS, 'suspected.png'));
    expect((await kept(page))[0].value.status).toBe('suspected');
  });
});
