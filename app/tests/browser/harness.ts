/** The built app, served by the Python package, in Debian's Chromium. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { test as plain } from 'vitest';

export const SITE = resolve(process.env.SITE ?? '../src/ai_for_sudan/app/static');
/** Films made by `tests/app/conftest.py`, with what Python says of them in `expected.json`. */
export const FILMS = resolve(process.env.FILMS ?? 'films');
export const SAMPLES = resolve(import.meta.dirname, '../../../samples');
/** Milliseconds that a step may take on a busy machine. */
const PATIENCE = 120_000;
export const PYTHON = process.env.PYTHON ?? 'python3';

const SERVE = `
import sys
from pathlib import Path
from ai_for_sudan.app import AppServer
server = AppServer(Path(sys.argv[1]), port=int(sys.argv[2]))
print(server.address, flush=True)
server.serve_forever()
`;

export interface Served {
  url: string;
  stop: () => Promise<void>;
}

export async function serve(folder = SITE, port = 0): Promise<Served> {
  const child: ChildProcess = spawn(PYTHON, ['-c', SERVE, folder, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise<string>((found, failed) => {
    createInterface({ input: child.stdout! }).once('line', found);
    child.once('exit', (code) => failed(new Error(`the server ended with ${code}`)));
  });
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  return {
    url,
    stop: () => {
      child.kill();
      return ended;
    },
  };
}

/** A server before the server, which counts the bytes of each answer as they went over the wire. */
export async function counted(url: string): Promise<Served & { bytes: Map<string, number> }> {
  const bytes = new Map<string, number>();
  const host = createServer((asked, answer) => {
    const onward = request(new URL(asked.url!, url), { method: asked.method, headers: asked.headers }, (response) => {
      answer.writeHead(response.statusCode!, response.headers);
      response.on('data', (chunk: Buffer) => bytes.set(asked.url!, (bytes.get(asked.url!) ?? 0) + chunk.length));
      response.pipe(answer);
    });
    onward.end();
  });
  await new Promise<void>((done) => host.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(host.address() as AddressInfo).port}/`,
    bytes,
    stop: async () => {
      host.close();
      host.closeAllConnections();
    },
  };
}

export function launch(args: string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...args,
    ],
  });
}

const PHONE: BrowserContextOptions = {
  viewport: { width: 360, height: 740 },
  deviceScaleFactor: 2,
  hasTouch: true,
  isMobile: true,
  locale: 'en-GB',
};

/** A fresh phone with nothing open. */
export async function blank(browser: Browser, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ ...PHONE, ...options });
  // A busy machine is slow; nothing here asserts a duration.
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.on('pageerror', (error) => console.error('page error:', error));
  page.on('console', (message) => {
    if (message.type() === 'error') console.error('console:', message.text());
  });
  return page;
}

/** A fresh phone with the app open and its reader ready. */
export async function phone(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await blank(browser, options);
  await page.goto(url);
  await ready(page);
  return page;
}

interface Bench {
  browser: Browser;
  /** The built app on a server of its own. */
  served: Served;
  /** Another phone, with other options; its context ends with the test. */
  open: (options?: BrowserContextOptions) => Promise<Page>;
  /** A fresh phone with the app open. */
  page: Page;
  /** Have something ended after the test, the latest first. */
  ending: (end: () => unknown) => void;
}

/** Every browser test: one browser and one server for each file, a fresh phone for each test. */
export const test = plain.extend<Bench>({
  browser: [
    async ({}, use) => {
      const browser = await launch();
      await use(browser);
      await browser.close();
    },
    { scope: 'file' },
  ],
  served: [
    async ({}, use) => {
      const served = await serve();
      await use(served);
      await served.stop();
    },
    { scope: 'file' },
  ],
  ending: async ({ browser }, use) => {
    const ends: (() => unknown)[] = [];
    await use((end) => void ends.push(end));
    for (const context of browser.contexts()) await context.close();
    for (const end of ends.reverse()) await end();
  },
  open: async ({ browser, served, ending: _ }, use) => use((options) => phone(browser, served.url, options)),
  page: async ({ open }, use) => use(await open()),
});

export async function ready(page: Page): Promise<void> {
  await page.locator('.engine.ready').waitFor({ timeout: PATIENCE });
}

type Files = Parameters<Page['setInputFiles']>[1];

/** Go to a screen of the app: `worklist`, `settings`, or nothing for the first one. */
export async function show(page: Page, screen = ''): Promise<void> {
  await page.goto(`${page.url().split('#')[0]}#/${screen}`);
}

/** Choose films and wait for the answer. */
export async function read(page: Page, files: Files): Promise<void> {
  if (!(await page.locator('[data-input=gallery]').count())) await show(page);
  await page.locator('[data-input=gallery]').setInputFiles(files);
  await page.locator('.reading').waitFor({ timeout: PATIENCE });
}

/** What is kept of every reading, straight from the database of the page. */
export async function kept(page: Page): Promise<any[]> {
  return page.evaluate(async () => {
    const database = await new Promise<IDBDatabase>((done, failed) => {
      const request = indexedDB.open('ai-for-sudan');
      request.onsuccess = () => done(request.result);
      request.onerror = () => failed(request.error);
    });
    const all = (store: string) =>
      new Promise<any[]>((done, failed) => {
        const request = database.transaction(store).objectStore(store).getAll();
        request.onsuccess = () => done(request.result);
        request.onerror = () => failed(request.error);
      });
    const [readings, films] = [await all('readings'), await all('films')];
    database.close();
    return readings.map((row) => ({ ...row, film: films.find((film) => film.id === row.id) }));
  });
}
