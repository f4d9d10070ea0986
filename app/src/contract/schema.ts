/**
 * Holds a JSON value against a JSON Schema (2020-12): the keywords that our schemas use, no more. The same lines as in
 * `ai_for_sudan.contract.schema`.
 */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type Schema = Record<string, any>;

/** Levels of a JSON text; ours have eight. */
const DEEPEST = 32;

/** A value is not what was expected. `path` says where, in dots; the text is one line. */
export class Mismatch extends Error {
  constructor(
    readonly path: string,
    expected: string,
    received?: Json,
  ) {
    const shown = received === undefined ? 'missing' : JSON.stringify(received);
    super(`${path || 'the whole'}, which is ${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown}; ${expected}`);
  }
}

/** JSON whose numbers are all finite and whose levels are few. */
export function parse(text: string): Json {
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Mismatch('', 'expected valid JSON', text);
  }
  bounded(value, '', 1);
  return value;
}

function bounded(value: Json, path: string, level: number): void {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Mismatch(path, 'expected a finite number', value);
  if (level > DEEPEST) throw new Mismatch(path, `expected at most ${DEEPEST} levels`, 'a deeper one');
  if (typeof value !== 'object' || value === null) return;
  for (const [name, part] of Object.entries(value)) bounded(part, at(path, name), level + 1);
}

/** @throws Mismatch at the first part that differs */
export function check(value: Json | undefined, schema: Schema, root: Schema = schema, path = ''): void {
  if (schema.$ref) {
    check(value, root.$defs[schema.$ref.split('/').pop()], root, path);
    return;
  }
  if (value === undefined) throw new Mismatch(path, 'expected it to be there');
  for (const [keyword, wanted] of Object.entries(schema)) {
    if (TESTS[keyword]?.(value, wanted) === false) {
      throw new Mismatch(path, `expected ${keyword} ${JSON.stringify(wanted)}`, value);
    }
  }
  if (schema.not && matches(value, schema.not, root)) throw new Mismatch(path, 'expected no control characters', value);
  if (isObject(value)) {
    for (const name of schema.required ?? []) {
      if (!own(value, name)) throw new Mismatch(at(path, name), 'expected it to be there');
    }
    for (const [name, part] of Object.entries(value)) {
      if (schema.propertyNames) check(name, schema.propertyNames, root, at(path, name));
      const inner = own(schema.properties ?? {}, name) ? schema.properties[name] : schema.additionalProperties;
      if (inner) check(part, inner, root, at(path, name));
    }
  }
  if (Array.isArray(value) && schema.items) {
    for (const [index, part] of value.entries()) check(part, schema.items, root, at(path, String(index)));
  }
}

function matches(value: Json, schema: Schema, root: Schema): boolean {
  try {
    check(value, schema, root);
    return true;
  } catch {
    return false;
  }
}

/** A name may be as long and as wild as its writer liked. */
function at(path: string, name: string): string {
  const shown = name.replace(/[^A-Za-z0-9_ -]/gu, '?').slice(0, 40);
  return path ? `${path}.${shown}` : shown;
}

const own = (value: object, name: string): boolean => Object.prototype.hasOwnProperty.call(value, name);
const isObject = (value: Json): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const TYPES: Record<string, (value: Json) => boolean> = {
  object: isObject,
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  number: Number.isFinite,
  integer: Number.isInteger,
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
};

const ofNumber = (test: (value: number, wanted: number) => boolean) => (value: Json, wanted: number) =>
  typeof value !== 'number' || test(value, wanted);
const ofText = (test: (value: string, wanted: any) => boolean) => (value: Json, wanted: any) =>
  typeof value !== 'string' || test(value, wanted);
const ofList = (test: (value: Json[], wanted: any) => boolean) => (value: Json, wanted: any) =>
  !Array.isArray(value) || test(value, wanted);
const ofObject = (test: (count: number, wanted: number) => boolean) => (value: Json, wanted: number) =>
  !isObject(value) || test(Object.keys(value).length, wanted);

const TESTS: Record<string, (value: Json, wanted: any) => boolean> = {
  type: (value, wanted) => [wanted].flat().some((name: string) => TYPES[name](value)),
  enum: (value, wanted) => wanted.includes(value),
  minimum: ofNumber((value, wanted) => value >= wanted),
  maximum: ofNumber((value, wanted) => value <= wanted),
  exclusiveMinimum: ofNumber((value, wanted) => value > wanted),
  exclusiveMaximum: ofNumber((value, wanted) => value < wanted),
  minLength: ofText((value, wanted) => [...value].length >= wanted),
  maxLength: ofText((value, wanted) => [...value].length <= wanted),
  pattern: ofText((value, wanted) => new RegExp(wanted, 'u').test(value)),
  minItems: ofList((value, wanted) => value.length >= wanted),
  maxItems: ofList((value, wanted) => value.length <= wanted),
  uniqueItems: ofList(
    (value, wanted) => !wanted || new Set(value.map((one) => JSON.stringify(one))).size === value.length,
  ),
  minProperties: ofObject((count, wanted) => count >= wanted),
  maxProperties: ofObject((count, wanted) => count <= wanted),
};
