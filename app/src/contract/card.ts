import { outside } from './ages';
import { METADATA_KEY } from './names';

/** What is known of a reader. It travels inside the reader file, as JSON under the metadata key `card`. */
export interface OperatingPoint {
  threshold: number;
  reason?: string;
  sensitivity?: [number, number, number];
  specificity?: [number, number, number];
}

export interface GateScore {
  code: string;
  limit: number;
  reason?: string;
  advice?: string;
  /** What a film with a score above the limit is. */
  status: 'refused' | 'uncertain';
}

export interface SelfTest {
  height: number;
  width: number;
  pixels: Uint8Array<ArrayBuffer>;
  probability: number[];
  gate: number[];
  heatmapSum: number;
  tolerance: number;
}

export interface Card {
  name: string;
  version: string;
  classes: string[];
  positive: string;
  task: string;
  intendedUse: string;
  ageYears: [number, number] | null;
  operatingPoints: Record<string, OperatingPoint>;
  defaultOperatingPoint: string;
  abstention: { lower: number; upper: number } | null;
  gate: GateScore[];
  /** Logit units drawn at full colour. */
  heatmapReference: number;
  selfTest: SelfTest;
  training: string;
}

/** Whether an age in years lies outside the population of the card. */
export const outsidePopulation = (card: Card, age: number | null): boolean => outside(card.ageYears, age);

/** The newest card schema that this app understands. */
export const SCHEMA = 1;

export class NotAReader extends Error {}

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
  const text = new TextDecoder();
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

export function readCard(onnx: Uint8Array): Card {
  const json = metadata(onnx)[METADATA_KEY];
  if (!json) throw new NotAReader('the file has no card: it is no reader file');
  const raw = JSON.parse(json);
  if (raw.schema > SCHEMA) {
    throw new NotAReader(`the card has schema ${raw.schema}, this app knows ${SCHEMA}: update the app`);
  }
  const need = <T>(value: T | undefined | null, name: string): T => {
    if (value === undefined || value === null) throw new NotAReader(`the card lacks "${name}"`);
    return value;
  };
  const points = need<Record<string, OperatingPoint>>(raw.operating_points, 'operating_points');
  const chosen = raw.default_operating_point ?? Object.keys(points)[0];
  need(points[chosen], `operating_points.${chosen}`);
  const classes = need<string[]>(raw.classes, 'classes');
  if (!classes.includes(raw.positive))
    throw new NotAReader(`the card's positive class "${raw.positive}" is none of its classes`);
  return {
    name: need(raw.name, 'name'),
    version: String(raw.version ?? ''),
    classes,
    positive: raw.positive,
    task: raw.task ?? 'exclusive',
    intendedUse: raw.intended_use ?? '',
    ageYears: raw.population?.age_years ?? null,
    operatingPoints: points,
    defaultOperatingPoint: chosen,
    abstention: raw.abstention && raw.abstention.lower < raw.abstention.upper ? raw.abstention : null,
    gate: (raw.gate?.scores ?? []).map((score: GateScore) => ({ ...score, status: score.status ?? 'refused' })),
    heatmapReference: raw.heatmap?.reference > 0 ? raw.heatmap.reference : 1,
    selfTest: selfTest(need(raw.selftest, 'selftest')),
    training: raw.training?.data ?? '',
  };
}

function selfTest(raw: Record<string, any>): SelfTest {
  const bytes = Uint8Array.from(atob(raw.pixels), (character) => character.charCodeAt(0));
  const [height, width] = Array.isArray(raw.size) ? raw.size : [raw.size, raw.size];
  if (bytes.length !== height * width) {
    throw new NotAReader(`the card's self-test holds ${bytes.length} pixels, ${height * width} were expected`);
  }
  return {
    height,
    width,
    pixels: bytes,
    probability: raw.probability,
    gate: raw.gate ?? [],
    heatmapSum: raw.heatmap_sum,
    tolerance: raw.tolerance,
  };
}
