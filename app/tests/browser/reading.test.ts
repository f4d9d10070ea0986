import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { FILMS, kept, read, ready, SAMPLES, show, test } from './harness';

const DISCLAIMER = 'Decision support, not a diagnosis: a clinician decides.';
const heading = (page: Page) => page.locator('.reading h1').textContent();

describe('one film', () => {
  test.for([
    ['suspected.png', 'suspected', 'Pneumonia suspected'],
    ['not_seen.png', 'not_seen', 'No pneumonia seen'],
    ['uncertain.png', 'uncertain', 'Uncertain'],
    ['refused.png', 'refused', 'Refused'],
  ])('%s is %s', async ([file, status, words], { page }) => {
    await read(page, join(FILMS, file));
    expect(await heading(page)).toContain(words);
    expect(await page.locator(`.reading.${status}`).count()).toBe(1);
    expect(await page.locator('.disclaimer').textContent()).toContain(DISCLAIMER);
    expect(await page.locator('.disclaimer').textContent()).toContain('Made for children aged 1 to 5 years.');
    const [row] = await kept(page);
    expect(row.value.status).toBe(status);
    // A refused film keeps its probability, so that the gate can be measured.
    expect(row.value.probability).toBeGreaterThanOrEqual(0);
    expect(await page.locator('.frame canvas.heatmap').count()).toBe(status === 'refused' ? 0 : 1);
  });

  test('an uncertain answer says in which band, and shows it', async ({ page }) => {
    await read(page, join(FILMS, 'uncertain.png'));
    expect(await page.locator('.reading').textContent()).toMatch(
      /Between \d+% and \d+% the reader is often wrong: a person must read this film first\./,
    );
    const places = await page
      .locator('.track .mark')
      .evaluateAll((marks) => marks.map((m) => parseFloat(m.style.insetInlineStart)));
    expect(places.length).toBe(2);
    const probability = 100 * (await kept(page))[0].value.probability;
    expect(places[0] < probability && probability < places[1]).toBe(true);
  });

  test('a refusal says why and what to do', async ({ page }) => {
    await read(page, join(FILMS, 'tiny.png'));
    expect(await page.locator('.reading').textContent()).toContain(
      'The picture is too small. Use the original picture, not a thumbnail.',
    );
  });

  test('the surest reason stands first, the others behind it', async ({ page }) => {
    await read(page, join(FILMS, 'many_reasons.dcm'));
    const { codes } = (await kept(page))[0].value;
    const python = JSON.parse(readFileSync(join(FILMS, 'many_reasons.json'), 'utf8'));
    expect(codes).toEqual(python.codes);
    const said = codes.filter((code: string) => code !== 'abstained'); // the gauge shows that
    expect(said.length).toBeGreaterThan(1);
    expect(await page.locator('.reading .reason').count()).toBe(1);
    expect(await page.locator('.reading details li').count()).toBe(said.length - 1);
    expect(await page.locator('.reading details').getAttribute('open')).toBe(null);
  });

  test('the slider goes from the film to the heatmap', async ({ page }) => {
    await read(page, join(FILMS, 'suspected.png'));
    const heatmap = page.locator('canvas.heatmap');
    const slider = page.getByRole('slider', { name: 'Heatmap' });
    await slider.fill('0');
    expect(await heatmap.evaluate((canvas) => getComputedStyle(canvas).opacity)).toBe('0');
    await slider.fill('100');
    expect(await heatmap.evaluate((canvas) => getComputedStyle(canvas).opacity)).toBe('1');
    expect(await page.locator('.legend').textContent()).toContain('Where the model looked');
  });

  test('fingers enlarge and move the film', async ({ page }) => {
    await read(page, join(FILMS, 'suspected.png'));
    const scale = () => page.locator('.stack').evaluate((stack) => new DOMMatrix(getComputedStyle(stack).transform).a);
    await page.getByRole('button', { name: 'Zoom in' }).click();
    expect(await scale()).toBeCloseTo(1.5);
    const box = (await page.locator('.frame').boundingBox())!;
    const session = await page.context().newCDPSession(page);
    const touch = (type: string, points: [number, number][]) =>
      session.send('Input.dispatchTouchEvent', {
        type: type as 'touchStart',
        touchPoints: points.map(([x, y], id) => ({ x: box.x + x, y: box.y + y, id })),
      });
    await page.locator('.frame').scrollIntoViewIfNeeded();
    Object.assign(box, await page.locator('.frame').boundingBox());
    await touch('touchStart', [
      [100, 100],
      [140, 140],
    ]);
    await touch('touchMove', [
      [80, 80],
      [160, 160],
    ]);
    await touch('touchMove', [
      [60, 60],
      [180, 180],
    ]);
    await touch('touchEnd', []);
    expect(await scale()).toBeGreaterThan(2.5);
    await page.getByRole('button', { name: 'Whole film' }).click();
    expect(await scale()).toBe(1);
  });

  test('another operating point changes the answer', async ({ page }) => {
    await read(page, join(FILMS, 'suspected.png'));
    const before = await page.locator('.reading').textContent();
    await page.getByLabel('When to suspect pneumonia').selectOption('rule-in');
    const changedRow = async () => (await kept(page)).find(({ value }) => value.operatingPoint === 'rule-in');
    await expect.poll(changedRow).toBeDefined();
    const changed = (await changedRow())!.value;
    expect(changed.file).toBe('suspected.png');
    expect(changed.suspectedFrom).toBeGreaterThan(0.5);
    expect(await page.locator('.reading').textContent()).not.toBe(before);
    expect(changed.status).toBe(
      changed.probability >= changed.suspectedFrom
        ? 'suspected'
        : changed.probability < changed.notSeenBelow
          ? 'not_seen'
          : 'uncertain',
    );
  });

  test('inverting the film reads it again, in place', async ({ page }) => {
    await read(page, join(FILMS, 'suspected.png'));
    const before = (await kept(page))[0].value;
    await page.getByText('Brightness, contrast, rotation').click();
    await page.getByRole('button', { name: 'Invert black and white' }).click();
    await expect.poll(async () => (await kept(page))[0].value.probability).not.toBe(before.probability);
    const rows = await kept(page);
    expect(rows.length).toBe(1);
    expect(rows[0].id).toBe(before.id);
  });

  test('a film can be dropped and pasted', async ({ page }) => {
    const bytes = [...readFileSync(join(FILMS, 'suspected.png'))];
    for (const kind of ['drop', 'paste']) {
      await show(page);
      await page.evaluate(
        ([content, how]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(content as number[])], `${how}.png`, { type: 'image/png' }));
          window.dispatchEvent(
            how === 'drop'
              ? new DragEvent('drop', { dataTransfer: data })
              : new ClipboardEvent('paste', { clipboardData: data }),
          );
        },
        [bytes, kind] as const,
      );
      await page.locator('.reading.suspected').waitFor();
      expect(await page.locator('main').textContent()).toContain(`${kind}.png`);
    }
  });
});

describe('files that are not films', () => {
  const film = () => readFileSync(join(SAMPLES, 'normal_01.png'));
  const jpeg = () => readFileSync(join(FILMS, 'film.jpg'));
  const dicom = () => readFileSync(join(FILMS, 'film.dcm'));
  test.for<[string, () => Buffer, string]>([
    ['empty.png', () => Buffer.alloc(0), 'empty'],
    ['text.png', () => Buffer.from('no picture'), 'not_a_picture'],
    ['page.jpg', () => Buffer.from('<!doctype html><html></html>'), 'not_a_picture'],
    ['cut.png', () => film().subarray(0, 9000), 'not_a_picture'],
    ['cut.jpg', () => jpeg().subarray(0, 3000), 'not_a_picture'],
    ['picture.heic', () => Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic'), 'heic'],
    ['picture.tif', () => Buffer.from('II*\0\x08\0\0\0'), 'tiff'],
    ['noise.webp', () => Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251)), 'not_a_picture'],
    ['cut.dcm', () => dicom().subarray(0, dicom().length - 5000), 'truncated'],
    ['header.dcm', () => dicom().subarray(0, 200), 'damaged'],
    ['no_pixels.dcm', () => readFileSync(join(FILMS, 'no_pixels.dcm')), 'no_pixels'],
    ['frames.dcm', () => readFileSync(join(FILMS, 'frames.dcm')), 'multi_frame'],
    ['huge.dcm', () => readFileSync(join(FILMS, 'huge.dcm')), 'too_large'],
  ])('%s', async ([name, content, code], { page }) => {
    await read(page, { name, mimeType: 'application/octet-stream', buffer: content() });
    expect(await heading(page)).toBe('Could not be read');
    const [row] = await kept(page);
    expect([row.value.status, row.value.probability, row.value.codes]).toEqual(['failed', null, [code]]);
    // And the next film is read as if nothing had happened.
    await read(page, join(FILMS, 'suspected.png'));
  });
});

test('DICOM files of every coding, cut short', async ({ page }) => {
  const folder = join(FILMS, 'dicom');
  const names = readdirSync(folder).filter((name) => name.endsWith('.dcm'));
  await page.locator('[data-input=gallery]').setInputFiles(
    names.map((name) => {
      const whole = readFileSync(join(folder, name));
      return { name, mimeType: 'application/dicom', buffer: whole.subarray(0, Math.floor(whole.length * 0.6)) };
    }),
  );
  await page.getByText(`${names.length} films read.`).waitFor();
  const codes = (await kept(page)).map(({ value }) => [value.file, value.status, ...value.codes]);
  expect(codes.sort()).toEqual(names.sort().map((name) => [name, 'failed', 'truncated']));
});

describe('a photo', () => {
  test('is straightened with the corners that were found, or as the hand says', async ({ page }) => {
    await page.locator('[data-input=camera]').setInputFiles(join(FILMS, 'photo.jpg'));
    await page.getByRole('heading', { name: 'Straighten the film' }).waitFor();
    const expected = JSON.parse(readFileSync(join(FILMS, 'photo.json'), 'utf8'));
    const handles = page.locator('.handle');
    expect(await handles.count()).toBe(4);
    for (let index = 0; index < 4; index++) {
      const at = await handles
        .nth(index)
        .evaluate((handle) => [parseFloat(handle.style.left), parseFloat(handle.style.top)]);
      expect(Math.abs(at[0] - expected.corners[index][0])).toBeLessThan(2.5);
      expect(Math.abs(at[1] - expected.corners[index][1])).toBeLessThan(2.5);
    }
    await handles.first().focus();
    const before = await handles.first().evaluate((handle) => handle.style.left);
    await page.keyboard.press('ArrowRight');
    expect(await handles.first().evaluate((handle) => handle.style.left)).not.toBe(before);
    await page.keyboard.press('ArrowLeft');
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByRole('button', { name: 'Read this film' }).click();
    await page.locator('.reading').waitFor();
    const [row] = await kept(page);
    expect(Math.abs(row.value.probability - expected.probability)).toBeLessThan(0.1);
  });

  test('from the gallery is straightened too; a film that fills its picture is read at once', async ({ page }) => {
    await page.locator('[data-input=gallery]').setInputFiles(join(FILMS, 'photo.jpg'));
    await page.getByText('This looks like a photo of a film.').waitFor();
    expect(await page.locator('.handle').count()).toBe(4);
    await read(page, join(FILMS, 'suspected.png'));
  });

  test('of a batch waits until it is straightened', async ({ page }) => {
    const films = ['photo.jpg', 'suspected.png', 'photo.jpg'].map((name) => join(FILMS, name));
    await page.locator('[data-input=gallery]').setInputFiles(films);
    await page.getByText('1 film read.').waitFor();
    await page.getByText('Not read yet: 2 photos of a film.').waitFor();
    expect((await kept(page)).map(({ value }) => value.file)).toEqual(['suspected.png']);
    await page.getByRole('button', { name: 'Straighten and read them' }).click();
    for (const left of ['Next photo (1)', null]) {
      await page.getByRole('button', { name: 'Preview' }).click();
      await page.getByRole('button', { name: 'Read this film' }).click();
      await page.locator('.reading').waitFor();
      if (left) await page.getByRole('button', { name: left }).click();
    }
    expect(await page.getByRole('button', { name: /^Next photo/ }).count()).toBe(0);
    expect((await kept(page)).length).toBe(3);
  });
});

describe('the way back', () => {
  test('leads from a reading to its photo, and from there home; after a refresh the photo is asked for again', async ({
    page,
  }) => {
    await page.locator('[data-input=camera]').setInputFiles(join(FILMS, 'photo.jpg'));
    await page.getByRole('button', { name: 'Looks right, read it' }).click();
    await page.locator('.reading').waitFor();
    await page.goBack();
    await expect.poll(() => page.locator('.handle').count()).toBe(4);
    await page.goBack();
    await page.locator('[data-input=camera]').waitFor({ state: 'attached' });
    await page.goForward();
    await page.locator('.handle').first().waitFor();
    await page.reload();
    await page.getByText('Photograph the film once more.').waitFor();
    await page.getByRole('button', { name: 'Next film' }).click();
    await ready(page);
  });

  test('leads home from a film of the gallery', async ({ page }) => {
    await read(page, join(FILMS, 'suspected.png'));
    await page.goBack();
    await page.locator('[data-input=gallery]').waitFor({ state: 'attached' });
  });

  test('a refresh in the middle of a batch says what was read, and that the others are missing', async ({ page }) => {
    const buffer = readFileSync(join(SAMPLES, 'normal_01.png'));
    const films = Array.from({ length: 40 }, (_, index) => ({ name: `${index}.png`, mimeType: 'image/png', buffer }));
    await page.locator('[data-input=gallery]').setInputFiles(films);
    await page.getByText(/^[2-9] of 40 films/).waitFor();
    await page.reload();
    const said = await page.getByText(/^Stopped after \d+ of 40 films/).textContent();
    await page.getByText('Choose the films that are missing once more.').waitFor();
    const counted = await page.locator('.counts strong').allTextContents();
    const read = counted.reduce((sum, count) => sum + Number(count), 0);
    expect(said).toContain(`after ${read} of`);
    // The last one may have been kept just before its count was.
    expect((await kept(page)).length - read).toBeOneOf([0, 1]);
  });

  test('photos that were waiting for their corners are said to be missing', async ({ page }) => {
    await page
      .locator('[data-input=gallery]')
      .setInputFiles(['photo.jpg', 'suspected.png'].map((name) => join(FILMS, name)));
    await page.getByText('Not read yet: 1 photo of a film.').waitFor();
    await page.reload();
    await page.getByText('Choose the films that are missing once more.').waitFor();
    await page.getByText('Stopped after 1 of 2 films.').waitFor();
  });

  test('a batch that nothing is known of is not waited for', async ({ page }) => {
    await show(page, 'batch');
    await page.locator('[data-input=gallery]').waitFor({ state: 'attached' });
  });
});

describe('many films', () => {
  test('twenty are read one after the other while the page answers', async ({ page }) => {
    const films = Array.from({ length: 20 }, (_, index) => {
      const sample = `${index % 2 ? 'normal' : 'pneumonia'}_${String(1 + (index % 12)).padStart(2, '0')}.png`;
      return { name: `film_${index}.png`, mimeType: 'image/png', buffer: readFileSync(join(SAMPLES, sample)) };
    });
    await page.locator('[data-input=gallery]').setInputFiles(films);
    await page.locator('progress').waitFor();
    await page.getByRole('button', { name: 'العربية' }).click();
    expect(await page.evaluate(() => document.dir)).toBe('rtl');
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByText('20 films read.').waitFor();
    await page.getByRole('button', { name: 'Open the worklist' }).click();
    await expect.poll(() => page.locator('.list li').count()).toBe(20);
  });

  test('a batch ends with counts by status', async ({ page }) => {
    const names = ['suspected', 'suspected', 'not_seen', 'uncertain', 'refused'];
    const films = names.map((name) => join(FILMS, `${name}.png`));
    const broken = { name: 'cut.png', mimeType: 'image/png', buffer: Buffer.from('no picture') };
    await page
      .locator('[data-input=gallery]')
      .setInputFiles([
        ...films.map((path, index) => ({ name: `${index}.png`, mimeType: 'image/png', buffer: readFileSync(path) })),
        broken,
      ]);
    await page.getByText('6 films read.').waitFor();
    const counts = await page
      .locator('.counts li')
      .evaluateAll((items) => items.map((item) => [item.className, item.querySelector('strong')!.textContent]));
    expect(counts).toEqual([
      ['suspected', '2'],
      ['not_seen', '1'],
      ['uncertain', '1'],
      ['refused', '1'],
      ['failed', '1'],
    ]);
  });

  test('a batch can be stopped, and keeps what was read', async ({ page }) => {
    const films = Array.from({ length: 40 }, (_, index) => ({
      name: `film_${index}.png`,
      mimeType: 'image/png',
      buffer: readFileSync(join(SAMPLES, 'normal_01.png')),
    }));
    await page.locator('[data-input=gallery]').setInputFiles(films);
    await page.getByText(/^[2-9] of 40 films/).waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText(/Stopped after/).waitFor();
    const rows = await kept(page);
    expect(rows.length).toBeGreaterThan(1);
    expect(rows.length).toBeLessThan(40);
  });
});

describe('two languages', () => {
  test('the device tells the language, and a switch changes it for good', async ({ open }) => {
    const page = await open({ locale: 'ar-SD' });
    expect(await page.evaluate(() => [document.documentElement.lang, document.dir])).toEqual(['ar', 'rtl']);
    await read(page, join(FILMS, 'suspected.png'));
    expect(await heading(page)).toContain('اشتباه في التهاب رئوي');
    expect(await page.locator('.reading').textContent()).toMatch(/[٠-٩]/);
    expect(await page.locator('.disclaimer').textContent()).toContain('القرار للطبيب المعالج');
    await page.getByRole('button', { name: 'English' }).click();
    expect(await heading(page)).toBe('Pneumonia suspected: both lungs');
    await show(page);
    await page.reload();
    await ready(page);
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('en');
  });

  test('Arabic with 0123 where the user wants them', async ({ open }) => {
    const page = await open({ locale: 'ar' });
    await show(page, 'settings');
    await page.getByLabel('الأرقام').selectOption('latn');
    await read(page, join(FILMS, 'suspected.png'));
    expect(await page.locator('.gauge .number').textContent()).toMatch(/[0-9]/);
    await page.getByRole('link', { name: 'تقرير في صفحة واحدة' }).click();
    await page.locator('.report').waitFor();
    expect(await page.locator('body').textContent()).not.toMatch(/[٠-٩]/);
  });
});
