/** The fixed names of a reader file, the statuses of a film, and the keys of a reading. */
import names from '../../../src/ai_for_sudan/contract/names.json';

export type Status = 'suspected' | 'not_seen' | 'uncertain' | 'refused' | 'failed';

/** What every reader file takes: a film. */
export const INPUT = names.input;
/** The key of the card in the file's metadata. */
export const METADATA_KEY = names.metadata;
export const STATUSES = names.statuses as Status[];
/** The keys that a reading has in JSON and CSV, whichever program wrote it. */
export const READING_KEYS: readonly string[] = names.reading;
