import { join } from 'node:path';
import type { Page, Worker } from 'playwright-core';
import { describe, expect } from 'vitest';
import { FILMS, read, ready, SAMPLES, show, test } from './harness';

/** A film for each decoder, and one for each way in. */
const EVERY_KIND = [
  join(FILMS, 'suspected.png'),
  join(FILMS, 'film.jpg'),
  ...['grey16', 'rle_16', 'jpeg', 'jpeg_ls_16', 'jpeg2000_16'].map((name) => join(FILMS, 'dicom', `${name}.dcm`)),
];

test('whatever is done with films, nothing is asked of another address', async ({ open, served }) => {
  const page = await open();
  const asked = new Set<string>();
  page.context().on('request', (request) => asked.add(new URL(request.url()).origin));
  await page.reload();
  await ready(page);
  for (const film of EVERY_KIND) await read(page, film);
  await page.locator('a[href^="#/report"]').click();
  await page.locator('.report').waitFor();
  for (const screen of ['worklist', 'settings']) await show(page, screen);
  await show(page);
  await page.locator('[data-input=camera]').setInputFiles(join(FILMS, 'photo.jpg'));
  await page.locator('.handle').first().waitFor();
  // What ONNX Runtime would report late.
  await page.waitForTimeout(5000);
  expect([...asked].filter((origin) => origin !== 'null')).toEqual([new URL(served.url).origin]);
  expect(await page.context().cookies()).toEqual([]);
});

const refused = async (at: Page | Worker, address: string): Promise<string> =>
  (at as Page).evaluate(
    (url) =>
      fetch(url, { mode: 'no-cors' }).then(
        () => 'sent',
        () => 'refused',
      ),
    address,
  );

describe('the browser lets neither the page nor the worker that reads films', () => {
  test.for(['on the first visit', 'from the device'])('call another address, %s', async (when, { page, ending }) => {
    const { createServer } = await import('node:http');
    const calls: string[] = [];
    const elsewhere = createServer((request, response) => (calls.push(request.url!), response.end()));
    await new Promise<void>((done) => elsewhere.listen(0, '127.0.0.1', done));
    ending(() => elsewhere.close());
    const address = `http://127.0.0.1:${(elsewhere.address() as { port: number }).port}/films`;
    if (when === 'from the device') {
      await page.getByText('Works without a network').waitFor();
      await page.reload();
      await ready(page);
    }
    await read(page, join(SAMPLES, 'normal_01.png'));
    const worker = page.workers().find((each) => /worker-/.test(each.url()))!;
    expect([await refused(page, address), await refused(worker, address)]).toEqual(['refused', 'refused']);
    expect(calls).toEqual([]);
  });
});
