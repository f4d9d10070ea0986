import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { FILMS, read, show, test } from './harness';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations: found } = await (window as any).axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
    });
    return found.flatMap(({ id, nodes }: any) => nodes.map((node: any) => `${id}: ${node.html}`));
  });
}

/** Every screen, one after the other; `look` is called on each. */
async function walk(page: Page, look: (screen: string) => Promise<void>): Promise<void> {
  await look('home');
  for (const status of ['suspected', 'not_seen', 'uncertain', 'refused']) {
    await read(page, join(FILMS, `${status}.png`));
    await look(status);
  }
  await page.locator('details.adjust summary').click();
  await look('adjust');
  await read(page, { name: 'cut.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
  await look('failed');
  await show(page, 'worklist');
  await page.locator('.list li').first().waitFor();
  await look('worklist');
  await page.locator('.list li button').first().click();
  await look('question');
  await page.locator('dialog button').last().click();
  await page.locator('.list li.suspected a').click();
  await page.locator('.form').waitFor();
  await page.locator('input[name=verdict]').first().check();
  await page.locator('a[href^="#/report"]').click();
  await page.locator('.report').waitFor();
  await look('report');
  await show(page, 'settings');
  await page.locator('dl').waitFor();
  await look('settings');
  // The first button under the heading of the lock sets a PIN; then come: change it, lock now, remove it.
  const pin = page.locator('h2 ~ .row button');
  await pin.first().click();
  for (const field of await page.locator('input[type=password]').all()) await field.fill('246810');
  await look('PIN');
  await page.locator('form button').click();
  await pin.nth(1).click();
  await page.locator('form input').fill('1');
  await look('locked');
  await show(page);
  await page
    .locator('[data-input=gallery]')
    .setInputFiles(['suspected', 'refused'].map((name) => join(FILMS, `${name}.png`)));
  await page.locator('.notice.warning').waitFor();
  await look('batch');
  await show(page);
  await page.locator('[data-input=camera]').setInputFiles(join(FILMS, 'photo.jpg'));
  await page.locator('.handle').first().waitFor();
  await look('corners');
  await page.locator('main .row button').first().click();
  await page.locator('canvas.photo[aria-label]').waitFor();
  await look('straightened');
}

describe.each([
  ['en-GB', 'light'],
  ['ar', 'light'],
  ['en-GB', 'dark'],
  ['ar', 'dark'],
] as const)('%s, %s', (locale, colorScheme) => {
  test('no screen violates WCAG level A or AA', async ({ open }) => {
    const page = await open({ locale, colorScheme });
    const found: Record<string, string[]> = {};
    await walk(page, async (screen) => {
      const here = await violations(page);
      if (here.length > 0) found[screen] = here;
    });
    expect(found).toEqual({});
  });
});

describe.each([
  ['320 px wide', { width: 320, height: 640 }],
  ['200 % zoom of a small phone', { width: 180, height: 370 }],
])('%s', (_, viewport) => {
  test.for(['en-GB', 'ar'])('nothing runs off the side, in %s', async (locale, { open }) => {
    const page = await open({ locale, viewport, isMobile: false });
    const wide: string[] = [];
    await walk(page, async (screen) => {
      const over = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      if (over > 0) wide.push(`${screen}: ${over} px`);
    });
    expect(wide).toEqual([]);
  });
});

test('everything is reached and done with the keyboard', async ({ open }) => {
  const page = await open({ isMobile: false, hasTouch: false });
  await read(page, join(FILMS, 'suspected.png'));
  const reached = new Set<string>();
  for (let press = 0; press < 40; press++) {
    await page.keyboard.press('Tab');
    reached.add(
      await page.evaluate(() => {
        const focus = document.activeElement as HTMLElement;
        const outline = getComputedStyle(focus).outlineStyle;
        return `${focus.tagName} ${focus.getAttribute('aria-label') ?? focus.innerText?.trim().split('\n')[0] ?? ''} ${outline}`;
      }),
    );
  }
  const all = [...reached].join('\n');
  for (const wanted of [
    'BUTTON Zoom in solid',
    'INPUT Heatmap solid',
    'BUTTON Next film solid',
    'SELECT',
    'TEXTAREA',
    'A One-page report solid',
  ]) {
    expect(all).toContain(wanted);
  }
  // The film answers to keys.
  await page.locator('.frame').focus();
  await page.keyboard.press('+');
  await page.keyboard.press('ArrowLeft');
  const matrix = await page.locator('.stack').evaluate((stack) => new DOMMatrix(getComputedStyle(stack).transform));
  expect(matrix.a).toBeCloseTo(1.4);
});

test('after a change of screen the keyboard goes on from its heading', async ({ open }) => {
  const page = await open({ isMobile: false, hasTouch: false });
  // On a page just opened the first stop skips the bar.
  await page.keyboard.press('Tab');
  expect(await page.locator(':focus').getAttribute('class')).toBe('skip');
  await page.keyboard.press('Enter');
  expect(await page.locator(':focus').getAttribute('id')).toBe('content');

  const follow = async (address: string) => {
    await page.locator(`a[href="#/${address}"]`).first().focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/#/${address}`);
  };
  for (const [address, title] of [
    ['settings', 'Settings'],
    ['', 'AI for Sudan'],
    ['worklist', 'Worklist'],
    ['', 'AI for Sudan'],
  ]) {
    await follow(address);
    await page.locator('h1', { hasText: title }).waitFor();
    // A screen that is still loading has no heading yet.
    await page.locator(address === 'worklist' ? 'main:focus, h1:focus' : 'h1:focus').waitFor();
  }
  // Onwards into the screen, and back into the bar above it.
  await page.keyboard.press('Tab');
  expect(await page.locator('main :focus').count()).toBe(1);
  await page.keyboard.press('Shift+Tab');
  expect(await page.locator('header :focus').count()).toBe(1);
  await page.keyboard.press('Shift+Tab');
  expect(await page.locator(':focus').getAttribute('class')).toBe('skip');
});

test('where a form makes way for a screen, the focus goes there too', async ({ page }) => {
  await show(page, 'settings');
  await page.locator('h2 ~ .row button').first().click();
  for (const field of await page.locator('input[type=password]').all()) await field.fill('246810');
  await page.locator('form button').click();
  await page.locator('h2 ~ .row button').nth(1).click();
  await page.locator('form input').fill('246810');
  await page.keyboard.press('Enter');
  await page.locator('h1:focus', { hasText: 'Settings' }).waitFor();
});
