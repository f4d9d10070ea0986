/** How large and how small things may be: pixels a side, pixels in all, bytes. */
import limits from '../../../src/ai_for_sudan/contract/limits.json';

/** Films with a shorter side are refused. */
export const SMALLEST_SIDE = limits.smallest_side;
/** The sides that the reader file takes; other films are resized to them first. */
export const SMALLEST_INPUT = limits.smallest_input;
export const LARGEST_INPUT = limits.largest_input;
/** Bytes. */
export const LARGEST_FILE = limits.largest_file;
/** Pictures of more pixels are refused before they are decoded. */
export const LARGEST_PICTURE = limits.largest_picture;
/** Samples a pixel. */
export const MOST_SAMPLES = limits.most_samples;
/** Pixels of lossless JPEG. */
export const LARGEST_LOSSLESS_JPEG = limits.largest_lossless_jpeg;
/** Samples of JPEG 2000. */
export const LARGEST_JPEG2000 = limits.largest_jpeg2000;
/** Bytes of RLE and JPEG 2000. */
export const LARGEST_SLOW = limits.largest_slow_bytes;
/** Scans of a JPEG. */
export const MOST_SCANS = limits.most_scans;
/** Characters of a card. */
export const LARGEST_CARD = limits.largest_card;
