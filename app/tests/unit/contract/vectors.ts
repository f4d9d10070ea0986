/** Test vectors: what Python (`tests/contract`) and this app must both say. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const FOLDER = resolve(import.meta.dirname, '../../../../tests/contract/vectors');

export const load = (name: string): any => JSON.parse(readFileSync(resolve(FOLDER, `${name}.json`), 'utf8'));

/** `base` as JSON text with the text `value` put in at a path; `{ levels: n }` stands for n nested lists. */
export function changed(base: object, at: string, value: string | { levels: number }): string {
  const raw = typeof value === 'string' ? value : '['.repeat(value.levels) + ']'.repeat(value.levels);
  const facts = structuredClone(base) as any;
  const path = at.split('.');
  const last = path.pop()!;
  path.reduce((inner, name) => inner[name], facts)[last] = '@@';
  return JSON.stringify(facts).replace('"@@"', () => raw);
}
