/** What a DICOM header may say of a frontal chest film: modality, part of the body, view. */
import rules from '../../../src/ai_for_sudan/contract/headers.json';
import { filled, type Remark, remark } from './codes';

type Known = keyof typeof rules.known;

const CHEST = new RegExp(rules.chest);
const LATERAL = new RegExp(rules.lateral);
export const LONGEST_MEANING = rules.longest_meaning;

/** A header's text as rules compare it: upper case, printable ASCII, cut; null where nothing is left. */
export function codeString(value: string | undefined, longest = rules.longest_code): string | null {
  const text = (value ?? '')
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .toUpperCase();
  return text.slice(0, longest).trim() || null;
}

/** `value` where it is a term of the standard; free text, which may name a patient, gives null. */
function known(kind: Known, value: string | null): string | null {
  return value !== null && (rules.known[kind] as string[]).includes(value) ? value : null;
}

/** Why the header rules out a frontal chest film, from texts as `codeString` gives them. Such a film is refused, not
 * failed, even when its pixels cannot be decoded. */
export function refusals(modality: string | null, bodyPart: string | null, view: string | null): Remark[] {
  const found: Remark[] = [];
  if (modality && !rules.radiography.includes(modality)) found.push(named('header_modality', 'modality', modality));
  if (bodyPart && !CHEST.test(bodyPart.replace(/[^A-Z]/g, ''))) {
    found.push(named('header_body_part', 'body_part', bodyPart));
  }
  if (view && LATERAL.test(view)) found.push(named('header_view', 'view', view));
  return found;
}

function named(code: keyof typeof rules.named, kind: Known, value: string): Remark {
  return known(kind, value) ? { code, text: filled(rules.named[code], { value }) } : remark(code);
}
