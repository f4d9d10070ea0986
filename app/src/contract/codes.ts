/** Why a film failed, was refused, is left to a person or carries a warning: a code and a text. */
import table from '../../../src/ai_for_sudan/contract/codes.json';

export type Kind = keyof typeof table;

/** One thing to say of a film: a code for machines, an English text for exchange with other programs. */
export interface Remark {
  code: string;
  text: string;
}

const CODES = table as unknown as Record<Kind, Record<string, [text: string, advice: string]>>;
export const KINDS = Object.keys(CODES) as Kind[];

/** All codes of a kind. */
export const codesOf = (kind: Kind): string[] => Object.keys(CODES[kind]);

/** The kind of a code; undefined for one that only a reader's card knows. */
export const kindOf = (code: string): Kind | undefined => KINDS.find((kind) => code in CODES[kind]);

/** Put values into the places `{name}` of a text. */
export const filled = (text: string, values: Record<string, unknown>): string =>
  text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name]));

/** Text and advice of a code in one line of English. */
export function remark(code: string, values: Record<string, unknown> = {}): Remark {
  const [text, advice] = CODES[kindOf(code)!][code];
  return { code, text: filled(advice ? `${text}; ${advice}` : text, values) };
}
