/** Draws the pictures of `docs/screenshots` when SCREENSHOTS names a folder. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { FILMS, read, SAMPLES, show, test } from './harness';

const folder = process.env.SCREENSHOTS;

test.skipIf(!folder)('screenshots', async ({ open }) => {
  mkdirSync(folder!, { recursive: true });
  for (const [language, locale, colorScheme] of [
    ['en', 'en-GB', 'light'],
    ['ar', 'ar', 'light'],
    ['en-dark', 'en-GB', 'dark'],
  ] as const) {
    const page = await open({ locale, colorScheme });
    const shoot = async (name: string) => {
      await page.waitForTimeout(250);
      await page.screenshot({ path: join(folder!, `${language}-${name}.png`) });
    };
    await page.locator('.facts').waitFor();
    await page.waitForTimeout(2000);
    await shoot('home');
    for (const status of ['suspected', 'not_seen', 'uncertain', 'refused']) {
      await read(page, join(FILMS, `${status}.png`));
      expect(await page.locator(`.reading.${status}`).count()).toBe(1);
      await shoot(status);
    }
    await read(page, { name: 'cut.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no picture') });
    await shoot('failed');
    if (colorScheme === 'light') {
      await show(page);
      const films = ['normal_01', 'pneumonia_02', 'normal_03', 'pneumonia_04'].map((name) =>
        join(SAMPLES, `${name}.png`),
      );
      await page.locator('[data-input=gallery]').setInputFiles(films);
      await page.locator('button.primary').waitFor();
      await shoot('batch');
      await page.locator('button.primary').click();
      await page.locator('.list li').first().waitFor();
      await shoot('worklist');
      await page.locator('.list li.suspected a').first().click();
      await page.locator('.form').waitFor();
      await page.locator('.viewer').scrollIntoViewIfNeeded();
      await page.locator('.viewer').evaluate((viewer) => viewer.scrollIntoView());
      await shoot('heatmap');
      await page.locator('.form').evaluate((form) => form.scrollIntoView());
      await shoot('form');
      await page.locator('a[href^="#/report"]').click();
      await page.locator('.report canvas').waitFor();
      await shoot('report');
      await show(page, 'settings');
      await page.locator('dl').waitFor();
      await shoot('settings');
      await show(page);
      await page.locator('[data-input=camera]').setInputFiles(join(FILMS, 'photo.jpg'));
      await page.locator('.handle').first().waitFor();
      await shoot('corners');
      await page.locator('main .row button').first().click();
      await page.locator('canvas.photo[aria-label]').waitFor();
      await shoot('straightened');
      await show(page, 'settings');
      // The first button under the heading of the lock sets a PIN; then come: change it, lock now, remove it.
      const pin = page.locator('h2 ~ .row button');
      await pin.first().click();
      for (const field of await page.locator('input[type=password]').all()) await field.fill('246810');
      await page.locator('form button').click();
      await pin.nth(1).click();
      await show(page, 'worklist');
      await page.locator('form').waitFor();
      await shoot('locked');
    }
    await page.context().close();
  }
});
