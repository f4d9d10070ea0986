/** The fixed names of a reader file, the statuses of a film, and the keys of a reading. */
import names from '../../../src/ai_for_sudan/contract/names.json';

export type Status = 'suspected' | 'not_seen' | 'uncertain' | 'refused' | 'failed';

export const INPUT = names.input;
/** What every reader file computes. */
export const OUTPUTS: readonly string[] = names.outputs;
/** What newer reader files compute as well: `lungs` [112, 112] in the frame of the squashed film, `box` x0 y0 x1 y1. */
export const OPTIONAL_OUTPUTS: readonly string[] = names.optional_outputs;
/** The key of the card in the file's metadata. */
export const METADATA_KEY = names.metadata;
export const STATUSES = names.statuses as Status[];
/** The keys that a reading has in JSON and CSV, whichever program wrote it. */
export const READING_KEYS: readonly string[] = names.reading;
