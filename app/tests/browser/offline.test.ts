import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { blank, counted, FILMS, kept, launch, phone, read, ready, serve, SITE, test } from './harness';

type Ending = (end: () => unknown) => void;

const stored = (page: Page) => page.getByText('Works without a network').waitFor();

const TYPES: Record<string, string> = {
  '': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
};

/** A copy of the built site that a test may change. */
function copy(ending: Ending): string {
  const folder = mkdtempSync(join(tmpdir(), 'site-'));
  cpSync(SITE, folder, { recursive: true });
  ending(() => rmSync(folder, { recursive: true }));
  return folder;
}

const asset = (folder: string, pattern: RegExp): string =>
  join(
    folder,
    'assets',
    readdirSync(join(folder, 'assets')).find((name) => pattern.test(name))!,
  );

describe('without network', () => {
  test('reload and a new tab work with the server stopped, and films are read', async ({ browser }) => {
    const served = await serve();
    const page = await phone(browser, served.url);
    await stored(page);
    await served.stop();
    await page.reload();
    await ready(page);
    await read(page, join(FILMS, 'suspected.png'));
    expect(await page.locator('.reading h1').textContent()).toBe('Pneumonia suspected: both lungs');
    const tab = await page.context().newPage();
    await tab.goto(`${served.url}#/`);
    await ready(tab);
    // DICOM decoders too, which the first visit had no use for.
    await read(tab, join(FILMS, 'film_jpeg2000.dcm'));
    expect(await tab.locator('.reading.failed').count()).toBe(0);
    expect(await tab.evaluate(() => crossOriginIsolated)).toBe(true);
  });

  test('a first visit loads every file once, a later one none', async ({ served, browser, ending }) => {
    const { url, bytes, stop } = await counted(served.url);
    ending(stop);
    const page = await phone(browser, url);
    await stored(page);
    const large = [...bytes].filter(([name]) => /\.(wasm|onnx)$/.test(name));
    expect(large.length).toBe(4);
    for (const [name, size] of large) {
      // Each went over the wire once, packed.
      expect(size).toBeLessThanOrEqual(readFileSync(join(SITE, name)).length);
    }
    const first = [...bytes.values()].reduce((sum, size) => sum + size, 0);
    console.log(`first visit: ${(first / 1e6).toFixed(2)} MB compressed`);
    expect(first).toBeLessThan(13e6);
    bytes.clear();
    await page.reload();
    await ready(page);
    expect([...bytes.keys()].filter((name) => name !== '/sw.js')).toEqual([]);
  });
});

describe('a new version', () => {
  test('is offered, not forced, and keeps the readings', async ({ browser, ending }) => {
    const folder = copy(ending);
    const served = await serve(folder);
    const page = await phone(browser, served.url);
    await stored(page);
    await read(page, join(FILMS, 'suspected.png'));
    const port = Number(new URL(served.url).port);
    await served.stop();

    // The next version: another title, and so another page and service worker.
    const before = readFileSync(join(folder, 'index.html'), 'utf8');
    const after = before.replace(
      '<title>AI for Sudan</title>',
      '<title>AI for Sudan</title><meta name="version" content="next" />',
    );
    const { createHash } = await import('node:crypto');
    const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);
    writeFileSync(join(folder, 'index.html'), after);
    const worker = readFileSync(join(folder, 'sw.js'), 'utf8');
    const version = /app-.*?([0-9a-f]{16})/s.exec(worker)![1];
    const entry = (text: string) => `"${hash(text)}",${Buffer.byteLength(text)}`;
    expect(worker).toContain(entry(before));
    writeFileSync(
      join(folder, 'sw.js'),
      worker.replace(entry(before), entry(after)).replaceAll(version, 'f'.repeat(16)),
    );
    const again = await serve(folder, port);
    ending(again.stop);

    await page.goto(`${again.url}#/`);
    await page.reload();
    await ready(page);
    expect(await page.locator('meta[name=version]').count()).toBe(0);
    await page.getByText('A new version is ready.').waitFor();
    await page.getByRole('button', { name: 'Update now' }).click();
    await page.locator('meta[name=version]').waitFor({ state: 'attached' });
    await ready(page);
    expect((await kept(page)).length).toBe(1);
    expect(await page.evaluate(async () => (await caches.keys()).length)).toBe(1);
  });
});

describe('trouble', () => {
  test('a self-test that fails: the device refuses to read and says why', async ({ browser, ending }) => {
    const folder = copy(ending);
    const reader = asset(folder, /\.onnx$/);
    const bytes = readFileSync(reader);
    const at = bytes.indexOf('"probability": [');
    expect(at).toBeGreaterThan(0);
    // The card expects another first probability than any device computes.
    const digit = bytes.indexOf('0.', at) + 2;
    bytes[digit] = bytes[digit] === 0x39 ? 0x31 : bytes[digit] + 1;
    writeFileSync(reader, bytes);
    const page = await opened(browser, ending, folder);
    await page.getByText('This device computes wrong results, so the app does not read films on it.').waitFor();
    expect(await page.getByRole('button', { name: /Photograph a film/ }).isDisabled()).toBe(true);
    // Not even a dropped film.
    await page.locator('[data-input=gallery]').setInputFiles(join(FILMS, 'suspected.png'));
    await page.locator('.reading.failed').waitFor();
    expect(await page.locator('.reading').textContent()).toContain('This device computes wrong results');
  });

  test('a reader that is cut short is not a reader', async ({ browser, ending }) => {
    const folder = copy(ending);
    const reader = asset(folder, /\.onnx$/);
    writeFileSync(reader, readFileSync(reader).subarray(0, 2000));
    const page = await opened(browser, ending, folder);
    await page.getByText('The reader file is incomplete.').waitFor();
  });

  test('a server that answers its page for every missing file is told apart', async ({ browser, ending }) => {
    const folder = copy(ending);
    rmSync(asset(folder, /\.onnx$/));
    rmSync(asset(folder, /^ort-wasm.*\.wasm$/));
    const index = readFileSync(join(folder, 'index.html'));
    const host = createServer((request, response) => {
      const name = request.url!.split('?')[0];
      try {
        const content = readFileSync(join(folder, name === '/' ? 'index.html' : name));
        response.setHeader('content-type', TYPES[extname(name)] ?? 'text/html').end(content);
      } catch {
        response.setHeader('content-type', 'text/html').end(index);
      }
    });
    await new Promise<void>((done) => host.listen(0, '127.0.0.1', done));
    ending(() => (host.close(), host.closeAllConnections()));
    const page = await blank(browser);
    await page.goto(`http://127.0.0.1:${(host.address() as AddressInfo).port}/`);
    await page.getByText('The reader file is incomplete.').waitFor();
    // And nothing of it is stored for work without network.
    expect(await page.getByText('Works without a network').count()).toBe(0);
  });

  test('a page that the browser once kept in place of a decoder is fetched again', async ({
    served,
    browser,
    ending,
  }) => {
    const codec = /^charls.*\.wasm$/;
    const name = basename(asset(SITE, codec));
    let answers = 0;
    const host = createServer((asked, answer) => {
      if (asked.url === `/assets/${name}` && answers++ === 0) {
        answer.setHeader('cache-control', 'public, max-age=31536000, immutable');
        answer.setHeader('content-type', 'text/html').end('<!doctype html><title>Log in to the network</title>');
        return;
      }
      request(new URL(asked.url!, served.url), { headers: asked.headers }, (response) => {
        answer.writeHead(response.statusCode!, response.headers);
        response.pipe(answer);
      }).end();
    });
    await new Promise<void>((done) => host.listen(0, '127.0.0.1', done));
    ending(() => (host.close(), host.closeAllConnections()));
    const page = await phone(browser, `http://127.0.0.1:${(host.address() as AddressInfo).port}/`);
    await stored(page);
    expect(answers).toBe(2);
    host.close();
    host.closeAllConnections();
    await page.reload();
    await ready(page);
    await read(page, join(FILMS, 'dicom', 'jpeg_ls_16.dcm'));
    expect(await page.locator('.reading.failed').count()).toBe(0);
  });

  test('without SharedArrayBuffer one thread reads', async ({ browser, ending }) => {
    const host = createServer((request, response) => {
      const name = request.url!.split('?')[0];
      try {
        if (name === '/sw.js') throw new Error('no service worker, which would add the headers');
        response.setHeader('content-type', TYPES[extname(name)] ?? 'application/octet-stream');
        response.end(readFileSync(join(SITE, name === '/' ? 'index.html' : name)));
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((done) => host.listen(0, '127.0.0.1', done));
    ending(() => (host.close(), host.closeAllConnections()));
    const page = await phone(browser, `http://127.0.0.1:${(host.address() as AddressInfo).port}/`);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
    await read(page, join(FILMS, 'suspected.png'));
    expect(await page.locator('.reading.suspected').count()).toBe(1);
    await page.goto(`${page.url().split('#')[0]}#/settings`);
    await page.getByText('Threads: 1').waitFor();
  });

  test('a worker that dies fails its film only, and reads the next one', async ({ page }) => {
    const worker = page.workers().find((each) => /worker-/.test(each.url()))!;
    await worker.evaluate(() => {
      const usual = self.onmessage!;
      self.onmessage = (event) => {
        if (event.data.kind === 'read')
          setTimeout(() => {
            throw new Error('out of memory');
          });
        else usual.call(self as never, event);
      };
    });
    await read(page, join(FILMS, 'suspected.png'));
    expect(await page.locator('.reading').textContent()).toContain('The reader stopped at this film.');
    await read(page, join(FILMS, 'suspected.png'));
    await page.locator('.reading.suspected').waitFor();
  });

  test('storage that is full: the reading is shown, and said not to be kept', async ({ served, page }) => {
    await stored(page);
    const session = await page.context().newCDPSession(page);
    await session.send('Storage.overrideQuotaForOrigin', { origin: new URL(served.url).origin, quotaSize: 1000 });
    await read(page, join(FILMS, 'suspected.png'));
    await page.locator('.reading.suspected').waitFor();
    await page.getByText('The storage of this device is full: new readings are not saved.').waitFor();
    expect(await kept(page)).toEqual([]);
  });

  test('over plain HTTP films are read, and the page says what is missing', async ({ served, ending }) => {
    // A name that is not loopback's, so that the browser trusts the page as little as one on a clinic's network.
    const clinic = await launch(['--host-resolver-rules=MAP clinic.test 127.0.0.1']);
    ending(() => clinic.close());
    const page = await phone(clinic, `http://clinic.test:${new URL(served.url).port}/`);
    expect(await page.evaluate(() => isSecureContext)).toBe(false);
    await page.getByText('This page was opened over plain HTTP').waitFor();
    expect(await page.getByText('Works without a network').count()).toBe(0);
    await read(page, join(FILMS, 'suspected.png'));
    await page.locator('.reading.suspected').waitFor();
    expect((await kept(page)).length).toBe(1);
  });
});

async function opened(browser: Browser, ending: Ending, folder: string): Promise<Page> {
  const served = await serve(folder);
  ending(served.stop);
  const page = await blank(browser);
  await page.goto(served.url);
  return page;
}
