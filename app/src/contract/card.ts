import cardSchema from '../../../src/ai_for_sudan/contract/card.schema.json';
import { outside } from './ages';
import { LARGEST_CARD } from './limits';
import { METADATA_KEY } from './names';
import { type Band, type OperatingPoint, pointsOf } from './operating_point';
import { check, type Json, Mismatch, parse } from './schema';

interface GateScore {
  code: string;
  limit: number;
  reason?: string;
  advice?: string;
  /** What a film with a score above the limit is. */
  status: 'refused' | 'uncertain';
}

interface SelfTest {
  height: number;
  width: number;
  pixels: Uint8Array<ArrayBuffer>;
  probability: number[];
  gate: number[];
  /** Of readers that have these outputs. */
  lungsProbability: number[];
  abnormal: number[];
  heatmapSum: number;
  tolerance: number;
}

/** What is known of a reader. It travels inside the reader file, as JSON under the metadata key `card`. */
export interface Card {
  /** Name, version and the beginning of the content's identity, as every reading carries them. */
  title: string;
  name: string;
  version: string;
  classes: string[];
  positive: string;
  task: string;
  intendedUse: string;
  ageYears: [number, number] | null;
  operatingPoints: Record<string, OperatingPoint>;
  defaultOperatingPoint: string;
  /** From this output `abnormal` on, lungs do not look normal; null of a reader that does not tell. */
  abnormalLimit: number | null;
  gate: GateScore[];
  /** Logit units drawn at full colour. */
  heatmapReference: number;
  training: string;
}

/** The card of a reader that is opened here, and proves itself. */
export interface OwnCard extends Card {
  selfTest: SelfTest;
}

/** Whether an age in years lies outside the population of the card. */
export const outsidePopulation = (card: Card, age: number | null): boolean => outside(card.ageYears, age);

/** The newest card schema that this app understands. */
const SCHEMA = 3;

/** `path` says which entry of the card is wrong, in dots. */
export class NotAReader extends Error {
  constructor(
    message: string,
    readonly path = '',
  ) {
    super(message);
  }
}

/** A field of a protocol buffer message: its number and, for length-delimited fields, its bytes. */
function* fields(bytes: Uint8Array): Generator<[number, Uint8Array | null]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= bytes.length || scale > 2 ** 63) throw new NotAReader('truncated');
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const wire = tag % 8;
    const number = Math.floor(tag / 8);
    if (wire === 0) {
      varint();
      yield [number, null];
    } else if (wire === 1 || wire === 5) {
      at += wire === 1 ? 8 : 4;
      yield [number, null];
    } else if (wire === 2) {
      const length = varint();
      if (at + length > bytes.length) throw new NotAReader('truncated');
      yield [number, bytes.subarray(at, at + length)];
      at += length;
    } else {
      throw new NotAReader('not an ONNX file');
    }
  }
}

/**
 * The `metadata_props` of an ONNX file (field 14 of ModelProto: key 1, value 2), which ONNX Runtime Web does not expose.
 * The weights (field 7, one length-delimited message) are stepped over, never parsed.
 */
export function metadata(onnx: Uint8Array): Record<string, string> {
  const found: Record<string, string> = {};
  const text = new TextDecoder('utf-8', { ignoreBOM: true });
  for (const [number, value] of fields(onnx)) {
    if (number !== 14 || value === null) continue;
    let key = '';
    let content = '';
    for (const [part, bytes] of fields(value)) {
      if (bytes === null) continue;
      if (part === 1) key = text.decode(bytes);
      if (part === 2) content = text.decode(bytes);
    }
    found[key] = content;
  }
  return found;
}

/** @throws NotAReader when the file holds no card, a newer one, or one with a value that is wrong or does not fit. */
export function readCard(onnx: Uint8Array): OwnCard {
  const text = metadata(onnx)[METADATA_KEY];
  if (!text) throw new NotAReader('the file has no card: it is not a reader file');
  return parseCard(text);
}

/** @throws NotAReader */
export function parseCard(text: string): OwnCard {
  if (text.length > LARGEST_CARD) throw new NotAReader(`the card has ${text.length} characters`);
  try {
    const facts = parse(text);
    check(facts, { type: 'object', required: ['schema'] });
    const { schema } = facts as { schema: Json };
    check(schema, cardSchema.properties.schema, cardSchema, 'schema');
    if ((schema as number) > SCHEMA) {
      throw new NotAReader(`the card has schema ${schema}, this app supports ${SCHEMA}: update the app`);
    }
    check(facts, cardSchema);
    checkFit(facts as unknown as Facts);
    return ownCard(facts as unknown as Facts);
  } catch (error) {
    if (error instanceof Mismatch) throw new NotAReader(`the card is invalid at ${error.message}`, error.path);
    throw error;
  }
}

/** The entries that the app uses, after the schema was held against them. */
export interface Facts {
  schema: number;
  name: string;
  version: string;
  identity?: string;
  classes: string[];
  positive: string;
  task: string;
  intended_use?: string;
  population?: { age_years?: [number, number] | null };
  training?: { data?: string };
  provenance?: object;
  operating_points: Record<string, any>;
  default_operating_point: string;
  /** Of schema 1 and 2. */
  abstention?: Band | null;
  abnormal?: { limit: number } | null;
  gate?: { scores?: (Omit<GateScore, 'status'> & Partial<GateScore>)[] } | null;
  heatmap: { reference: number };
  selftest: {
    size: number | [number, number];
    pixels: string;
    probability: number[];
    gate?: number[];
    lungs_probability?: number[] | null;
    abnormal?: number[] | null;
    heatmap_sum: number;
    tolerance: number;
  };
  reference?: {
    dims: number;
    embedding_mean: number[];
    embedding_std: number[];
    sample: { sketches: string; scores: number[] };
  } | null;
}

const CUT_OFFS = ['not_seen_below', 'suspected_from'];

/** What the schema cannot say: values that must fit each other. @throws Mismatch */
function checkFit(facts: Facts): void {
  const fail = (path: string, expected: string, received?: Json): never => {
    throw new Mismatch(path, `expected ${expected}`, received);
  };
  const { classes, positive, operating_points: points, default_operating_point: chosen, selftest: test } = facts;
  if (!classes.includes(positive)) fail('positive', 'one of the classes', positive);
  if (!Object.prototype.hasOwnProperty.call(points, chosen)) {
    fail('default_operating_point', 'one of the operating points', chosen);
  }
  const { abstention: band, population, reference } = facts;
  for (const [name, point] of Object.entries(points)) {
    const path = `operating_points.${name}`;
    const wanted = facts.schema < SCHEMA && !('suspected_from' in point) ? ['threshold'] : CUT_OFFS;
    for (const key of wanted) if (!(key in point)) fail(`${path}.${key}`, 'it to be there');
    if (point.not_seen_below > point.suspected_from) {
      fail(path, 'not_seen_below no higher than suspected_from', [point.not_seen_below, point.suspected_from]);
    }
  }
  if (band && band.lower > band.upper) fail('abstention', 'a lower end below the upper one', [band.lower, band.upper]);
  const ages = population?.age_years;
  if (ages && ages[0] > ages[1]) fail('population.age_years', 'the first year before the last', ages);
  const codes = (facts.gate?.scores ?? []).map((score) => score.code);
  if (new Set(codes).size < codes.length) fail('gate.scores', 'no code more than once', codes);
  if (facts.schema >= 2 && !facts.identity) fail('identity', 'it to be there');
  if (facts.schema >= 2 && !facts.provenance) fail('provenance', 'it to be there');
  const [height, width] = shapeOf(test.size);
  const size = bytesOf('selftest.pixels', test.pixels).length;
  if (size !== height * width) fail('selftest.pixels', `${height} x ${width} bytes`, size);
  if (test.probability.length !== classes.length) {
    fail('selftest.probability', `${classes.length} values`, test.probability.length);
  }
  const gate = test.gate ?? [];
  if (gate.length !== codes.length) fail('selftest.gate', `${codes.length} values`, gate.length);
  if (!reference) return;
  const [mean, std] = [reference.embedding_mean.length, reference.embedding_std.length];
  if (mean !== std) fail('reference.embedding_std', `${mean} values, as in embedding_mean`, std);
  const { sketches, scores } = reference.sample;
  const path = 'reference.sample.sketches';
  const found = bytesOf(path, sketches).length;
  const expected = 2 * scores.length * reference.dims;
  if (found !== expected) fail(path, `${expected} bytes: dims float16 for each score`, found);
}

/** What the entries of a checked card say; those of the self-test are not looked at. */
export function cardOf(facts: Omit<Facts, 'selftest'>): Card {
  const content = facts.identity ? `+${facts.identity.slice(0, 8)}` : '';
  return {
    title: `${facts.name} ${facts.version}${content}`.trim(),
    name: facts.name,
    version: facts.version,
    classes: facts.classes,
    positive: facts.positive,
    task: facts.task,
    intendedUse: facts.intended_use ?? '',
    ageYears: facts.population?.age_years ?? null,
    operatingPoints: pointsOf(facts.operating_points, facts.abstention),
    defaultOperatingPoint: facts.default_operating_point,
    abnormalLimit: facts.abnormal?.limit ?? null,
    gate: (facts.gate?.scores ?? []).map((score) => ({ ...score, status: score.status ?? 'refused' })),
    heatmapReference: facts.heatmap.reference,
    training: facts.training?.data ?? '',
  };
}

function ownCard(facts: Facts): OwnCard {
  const [height, width] = shapeOf(facts.selftest.size);
  return {
    ...cardOf(facts),
    selfTest: {
      height,
      width,
      pixels: bytesOf('selftest.pixels', facts.selftest.pixels),
      probability: facts.selftest.probability,
      gate: facts.selftest.gate ?? [],
      lungsProbability: facts.selftest.lungs_probability ?? [],
      abnormal: facts.selftest.abnormal ?? [],
      heatmapSum: facts.selftest.heatmap_sum,
      tolerance: facts.selftest.tolerance,
    },
  };
}

const shapeOf = (size: number | [number, number]): [number, number] => (Array.isArray(size) ? size : [size, size]);

function bytesOf(path: string, base64: string): Uint8Array<ArrayBuffer> {
  try {
    // `atob` forgives a missing end, Python does not.
    if (base64.length % 4) throw new Error('cut short');
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    throw new Mismatch(path, 'expected base64', base64);
  }
}
