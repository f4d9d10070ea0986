import { copyFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { defineConfig } from 'vite';

const here = import.meta.dirname;
const folder = resolve(here, process.env.CLINIC_OUT_DIR ?? '../src/ai_for_sudan/clinic/web/static');

/** The pages of the clinic's server: a second entry of the app, without a reader in it. */
export default defineConfig({
  base: '/',
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: ['chrome91', 'firefox89', 'safari16.4'],
    // Inside the Python package, so that the wheel carries it.
    outDir: folder,
    emptyOutDir: true,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: { input: { clinic: resolve(here, 'clinic.html') } },
  },
  plugins: [
    {
      name: 'clinic-page',
      apply: 'build',
      writeBundle() {
        renameSync(join(folder, 'clinic.html'), join(folder, 'index.html'));
        copyFileSync(resolve(here, 'public/icon.svg'), join(folder, 'icon.svg'));
      },
    },
  ],
} as never);
