/**
 * Measures the built app in Chromium, and the same reader in Python:
 *
 *     make app && PYTHON=python node benchmarks/browser.mjs
 *
 * SITE names another built app, READER the reader file that is inside it. Writes docs/browser.json.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { join, resolve } from 'node:path';
import { chromium } from '../app/node_modules/playwright-core/index.mjs';

const root = resolve(import.meta.dirname, '..');
const site = resolve(process.env.SITE ?? join(root, 'src/ai_for_sudan/app/static'));
const { config } = JSON.parse(readFileSync(join(root, 'app/package.json'), 'utf8'));
const reader = resolve(process.env.READER ?? join(root, 'app', config.reader));
const python = process.env.PYTHON ?? 'python3';
const sample = join(root, 'samples/pneumonia_03.png');
const FILMS = 100;

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

const served = spawn(
  python,
  [
    '-c',
    'import sys; from pathlib import Path; from ai_for_sudan.app import AppServer\n' +
      's = AppServer(Path(sys.argv[1])); print(s.address, flush=True); s.serve_forever()',
    site,
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const url = await new Promise((found) => createInterface({ input: served.stdout }).once('line', found));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--disable-component-update',
    '--no-first-run',
  ],
});

/** Process ids of the renderers of this browser, found as descendants of this script. */
function renderers() {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], {
    encoding: 'utf8',
  })
    .trim()
    .split('\n')
    .map((row) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(row))
    .map(([, pid, parent, args]) => ({
      pid: Number(pid),
      parent: Number(parent),
      args,
    }));
  const ours = new Set([process.pid]);
  for (let grown = true; grown;) {
    grown = false;
    for (const { pid, parent } of rows) if (ours.has(parent) && !ours.has(pid)) (ours.add(pid), (grown = true));
  }
  return rows.filter(({ pid, args }) => ours.has(pid) && args.includes('--type=renderer')).map(({ pid }) => pid);
}

const residentMegabytes = () =>
  renderers().reduce(
    (sum, pid) => sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024,
    0,
  );

/** The bytes that the server sends are counted on their way. */
async function firstVisit() {
  let bytes = 0;
  const counting = createServer((asked, answer) => {
    request(new URL(asked.url, url), { headers: asked.headers }, (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.on('data', (chunk) => (bytes += chunk.length));
      response.pipe(answer);
    }).end();
  });
  await new Promise((done) => counting.listen(0, '127.0.0.1', done));
  const context = await browser.newContext();
  const page = await context.newPage();
  let began = performance.now();
  await page.goto(`http://127.0.0.1:${counting.address().port}/`);
  await page.locator('.engine.ready').waitFor({ timeout: 60_000 });
  const ready = performance.now() - began;
  const first = bytes;
  began = performance.now();
  await page.reload();
  await page.locator('.engine.ready').waitFor();
  const again = performance.now() - began;
  await context.close();
  counting.close();
  counting.closeAllConnections();
  return {
    megabytes: first / 1e6,
    readyMs: ready,
    laterMegabytes: (bytes - first) / 1e6,
    laterReadyMs: again,
  };
}

/** One film of network size through the reader's own worker: resize, gate and heatmap included. */
async function milliseconds(threads) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  await page.locator('.engine.ready').waitFor({ timeout: 60_000 });
  const worker = readdirSync(join(site, 'assets')).find((name) => /^worker-.*\.js$/.test(name));
  const times = await page.evaluate(
    async ([script, wanted, films]) => {
      const reader = new Worker(new URL(`assets/${script}`, location.href), {
        type: 'module',
      });
      let next = 0;
      const ask = (call) =>
        new Promise((done, failed) => {
          const id = next++;
          const listen = ({ data }) => {
            if (data.id !== id) return;
            reader.removeEventListener('message', listen);
            if ('code' in data) failed(new Error(data.message));
            else done(data.value);
          };
          reader.addEventListener('message', listen);
          reader.postMessage({ ...call, id });
        });
      await ask({ kind: 'open', threads: wanted });
      const pixels = Uint8Array.from(
        { length: 224 * 224 },
        (_, i) => 128 + 100 * Math.sin(i / 90) * Math.cos(i / 5000),
      );
      const film = {
        name: 'film',
        width: 224,
        height: 224,
        pixels,
        refusals: [],
        warnings: [],
        ageYears: null,
      };
      const found = [];
      for (let index = 0; index < films + 10; index++) {
        const began = performance.now();
        await ask({ kind: 'read', film });
        if (index >= 10) found.push(performance.now() - began);
      }
      reader.terminate();
      return found;
    },
    [worker, threads, FILMS],
  );
  await context.close();
  return median(times);
}

async function memory() {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  await page.locator('.engine.ready').waitFor({ timeout: 60_000 });
  const batch = async (count) => {
    await page.goto(`${url}#/`);
    const buffer = readFileSync(sample);
    const files = Array.from({ length: count }, (_, index) => ({
      name: `${index}.png`,
      mimeType: 'image/png',
      buffer,
    }));
    await page.locator('[data-input=gallery]').setInputFiles(files);
    await page.getByText(`${count} films read.`).waitFor({ timeout: 120_000 });
    const session = await context.newCDPSession(page);
    await session.send('HeapProfiler.collectGarbage');
    await pause(1500);
    return residentMegabytes();
  };
  await batch(40);
  const before = await batch(10);
  const after = await batch(FILMS);
  await context.close();
  return { megabytesBefore: before, megabytesAfter: after };
}

/** What `act` takes, in ms, while this browser's renderers run for `running` of every 40 ms: a slow phone. */
async function throttled(running, act) {
  const throttle = spawn(
    python,
    [
      '-c',
      'import os, signal, sys, time\npids = [int(p) for p in sys.argv[2:]]\nrunning = int(sys.argv[1]) / 1000\n' +
        'def send(s):\n for p in pids:\n  try: os.kill(p, s)\n  except ProcessLookupError: pass\n' +
        'signal.signal(signal.SIGTERM, lambda *_: (send(signal.SIGCONT), sys.exit()))\n' +
        'end = time.monotonic() + 30\n' +
        'while time.monotonic() < end:\n send(signal.SIGSTOP); time.sleep(.04 - running); send(signal.SIGCONT); time.sleep(running)\n',
      String(running),
      ...renderers().map(String),
    ],
    { stdio: 'inherit' },
  );
  await pause(200);
  const began = performance.now();
  await act();
  const taken = performance.now() - began;
  throttle.kill();
  await new Promise((done) => throttle.once('exit', done));
  return taken;
}

/** The median of the ms from each file, given to one of the app's two buttons on a slow phone, to what is awaited. */
async function onPhone(running, input, files, awaited) {
  const context = await browser.newContext({
    viewport: { width: 360, height: 740 },
    isMobile: true,
  });
  const page = await context.newPage();
  await page.goto(url);
  await page.locator('.engine.ready').waitFor({ timeout: 60_000 });
  const times = [];
  for (const file of files) {
    await page.goto(`${url}#/`);
    await page.locator(input).waitFor({ state: 'attached' });
    const button = await page.locator(input).elementHandle();
    times.push(
      await throttled(running, async () => {
        await button.setInputFiles(file);
        await page.locator(awaited).first().waitFor({ timeout: 60_000 });
      }),
    );
  }
  await context.close();
  return median(times.slice(1));
}

/** Tap to answer on a machine that is stopped five sixths of the time: a cheap phone. */
const slowPhone = () => onPhone(40 / 6, '[data-input=gallery]', Array(7).fill(sample), '.reading');

/** From a photo of 12 megapixels to the corners of its film, on a machine that is stopped three quarters of the time. */
async function corners() {
  const folder = mkdtempSync(join(tmpdir(), 'photos-'));
  const script =
    'import sys; from pathlib import Path; import numpy as np; from PIL import Image\n' +
    'sys.path.insert(0, sys.argv[1])\nfrom light_box import KINDS, write_scenes\n' +
    'film = np.asarray(Image.open(sys.argv[3]).convert("L"))\n' +
    'write_scenes(Path(sys.argv[2]), [film], [""], 1 + len(KINDS), longest=4000)';
  execFileSync(python, ['-c', script, join(root, 'tests'), folder, sample]);
  const photos = readdirSync(folder).filter((name) => name.endsWith('.jpg'));
  const files = photos.map((name) => join(folder, name));
  const found = await onPhone(10, '[data-input=camera]', files, '.handle');
  rmSync(folder, { recursive: true });
  return found;
}

function inPython() {
  const script =
    'import sys, time, statistics, numpy as np\nfrom ai_for_sudan import Reader\n' +
    'r = Reader.open(sys.argv[1])\ni = np.arange(224 * 224)\n' +
    'film = (128 + 100 * np.sin(i / 90) * np.cos(i / 5000)).astype(np.uint8).reshape(224, 224)\n' +
    't = []\nfor n in range(110):\n s = time.perf_counter(); r.read(film); t.append(time.perf_counter() - s)\n' +
    'print(statistics.median(t[10:]) * 1000)';
  return Number(execFileSync(python, ['-c', script, reader], { encoding: 'utf8' }));
}

try {
  const result = {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus()[0].model}, ${cpus().length} cores`,
    browser: browser.version(),
    reader: reader.split('/').pop(),
    firstVisit: await firstVisit(),
    filmMs: {
      oneThread: await milliseconds(1),
      twoThreads: await milliseconds(2),
      python: inPython(),
    },
    slowPhoneTapToAnswerMs: await slowPhone(),
    slowPhonePhotoToCornersMs: await corners(),
    memory: await memory(),
  };
  const rounded = JSON.parse(
    JSON.stringify(result, (_, value) => (typeof value === 'number' ? Math.round(value * 100) / 100 : value)),
  );
  writeFileSync(join(root, 'docs/browser.json'), `${JSON.stringify(rounded, null, 2)}\n`);
  console.log(rounded);
} finally {
  await browser.close();
  served.kill();
}
