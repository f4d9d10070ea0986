import { defineConfig } from 'vitest/config';
import { resolve } from 'node:path';

/** The app's decoders and reader in Node, without a browser, on what `tests/contract/test_parity.py` wrote. */
export default defineConfig({
  plugins: [
    {
      name: 'addresses of files are their paths',
      enforce: 'pre',
      async resolveId(id, importer) {
        if (!id.endsWith('?url')) return null;
        const found = await this.resolve(id.slice(0, -4), importer, { skipSelf: true });
        return found && `/address/${Buffer.from(found.id).toString('hex')}.js`;
      },
      load: (id) =>
        id.startsWith('/address/')
          ? `export default ${JSON.stringify(Buffer.from(id.slice(9, -3), 'hex').toString())}`
          : null,
    },
  ],
  test: { include: ['tests/parity/**/*.test.ts'], testTimeout: 300_000, root: resolve(import.meta.dirname) },
});
