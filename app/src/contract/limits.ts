/** How large and how small things may be: pixels a side, pixels in all, bytes. */
import limits from '../../../src/ai_for_sudan/contract/limits.json';

/** Films with a shorter side are refused. */
export const SMALLEST_SIDE = limits.smallest_side;
/** Of films with a shorter side the reading may change with their size (docs/results.md). */
export const STABLE_SIDE = limits.stable_side;
/** The sides that the reader file takes; other films are resized to them first. */
export const SMALLEST_INPUT = limits.smallest_input;
export const LARGEST_INPUT = limits.largest_input;
/** Bytes. */
export const LARGEST_FILE = limits.largest_file;
/** Pictures of more pixels are refused before they are decoded. */
export const LARGEST_PICTURE = limits.largest_picture;
/** Characters of a card. */
export const LARGEST_CARD = limits.largest_card;
