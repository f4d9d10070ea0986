import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';
import packageFacts from './package.json' with { type: 'json' };

const here = import.meta.dirname;

/** The reader file that the app ships: the one that package.json names, or READER=path. */
const reader = resolve(here, process.env.READER ?? packageFacts.config.reader);

/** Limits of a first visit, compressed with gzip, in bytes. */
const MOST_IN_ALL = 13_000_000;
const MOST_SCRIPT = 150_000;

/**
 * When the build is written: put the list of its files, with the hash of each, into the service worker, and say what a
 * first visit costs. A build over the limits fails.
 */
function precache(): Plugin {
  let folder = '';
  return {
    name: 'precache',
    apply: 'build',
    configResolved(config) {
      if (config.command === 'build' && !existsSync(reader)) {
        throw new Error(`no reader file at ${reader}: build one, or name it with READER=path`);
      }
      folder = resolve(config.root, config.build.outDir);
    },
    writeBundle() {
      const files = readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
        .filter((name) => name !== 'sw.js')
        .sort();
      const hashed = files.map((name) => {
        const content = readFileSync(join(folder, name));
        return [name, sha256(content).slice(0, 16), content.length];
      });
      const worker = join(folder, 'sw.js');
      const script = readFileSync(worker, 'utf8')
        .replace('__PRECACHE__', JSON.stringify(hashed))
        .replace('__VERSION__', JSON.stringify(sha256(JSON.stringify(hashed)).slice(0, 16)))
        .replace('__POLICY__', JSON.stringify(policy(readFileSync(join(folder, 'index.html'), 'utf8'))));
      if (/__PRECACHE__|__VERSION__|__POLICY__/.test(script))
        throw new Error('the service worker names its files more than once');
      writeFileSync(worker, script);
      report(folder, [...files, 'sw.js']);
    },
  };
}

/** The content security policy that the page names. */
function policy(page: string): string {
  const found = /http-equiv="Content-Security-Policy"\s+content="([^"]+)"/.exec(page);
  if (!found) throw new Error('the page has no content security policy');
  return found[1];
}

function report(folder: string, files: string[]): void {
  const sum = { script: 0, runtime: 0, reader: 0, rest: 0 };
  let raw = 0;
  for (const name of files) {
    const content = readFileSync(join(folder, name));
    raw += statSync(join(folder, name)).size;
    const kind = name.endsWith('.onnx')
      ? 'reader'
      : /(^|\/)ort[.-]/.test(name)
        ? 'runtime'
        : /\.(js|css|html)$/.test(name)
          ? 'script'
          : 'rest';
    sum[kind] += gzipSync(content, { level: 9 }).length;
  }
  const all = sum.script + sum.runtime + sum.reader + sum.rest;
  const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(0).padStart(7)} kB`;
  console.log('\nA first visit, compressed (gzip):');
  console.log(`${kilobytes(sum.script)}  the app's own script, style and page (at most ${MOST_SCRIPT / 1000} kB)`);
  console.log(`${kilobytes(sum.runtime)}  ONNX Runtime Web`);
  console.log(`${kilobytes(sum.reader)}  the reader`);
  console.log(`${kilobytes(sum.rest)}  icons, DICOM decoders and the rest`);
  console.log(
    `${kilobytes(all)}  in all (at most ${MOST_IN_ALL / 1000} kB); ${kilobytes(raw).trim()} unpacked. Later visits: 0 kB\n`,
  );
  if (sum.script > MOST_SCRIPT || all > MOST_IN_ALL) throw new Error('the first visit is over its limit');
}

const sha256 = (content: Buffer | string) => createHash('sha256').update(content).digest('hex');

export default defineConfig({
  base: './',
  resolve: { alias: [{ find: /^@reader(?=\?|$)/, replacement: reader }] },
  assetsInclude: ['**/*.onnx'],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  optimizeDeps: { exclude: ['onnxruntime-web'] },
  worker: {
    format: 'es',
    // ONNX Runtime stays a file of its own: its threads start by loading it once more.
    rolldownOptions: { output: { chunkFileNames: 'assets/[name]-[hash].js' } },
  },
  build: {
    // What ONNX Runtime's SIMD needs: Chrome 91, Firefox 89, Safari 16.4.
    target: ['chrome91', 'firefox89', 'safari16.4'],
    // Inside the Python package, so that the wheel carries it.
    outDir: resolve(here, process.env.OUT_DIR ?? '../src/ai_for_sudan/app/static'),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      input: { index: resolve(here, 'index.html'), sw: resolve(here, 'src/phone/offline/sw.ts') },
      output: {
        entryFileNames: (chunk: { name: string }) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
  server: {
    headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
    fs: { allow: ['..', resolve(reader, '..')] },
  },
  plugins: [precache()],
  test: { include: ['tests/unit/**/*.test.ts'], testTimeout: 60_000 },
} as never);
