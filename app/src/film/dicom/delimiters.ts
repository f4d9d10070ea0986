/** Sequences that were left open: the delimiters that their writer forgot (PS3.5 7.5.2, A.4). */

const ITEM = 0xe000fffe;
const ITEM_END = 0xe00dfffe;
const END = 0xe0ddfffe;
const UNDEFINED = 0xffffffff;
/** Sequences that a film's header has at most. */
const MOST = 1000;

/**
 * A file in which each sequence of undefined length, whose items have lengths, ends with a delimiter. Compressed pixels
 * are such a sequence. Files whose sequences end as they should are returned as they are.
 */
export function closed(data: Uint8Array): Uint8Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const word = (at: number) => (at + 4 <= data.length ? view.getUint32(at, true) : 0);
  const cuts: number[] = [];
  let at = 0;
  for (let count = 0; count < MOST; count++) {
    at = data.indexOf(0xff, at);
    while (at >= 0 && !(word(at) === UNDEFINED && word(at + 4) === ITEM)) at = data.indexOf(0xff, at + 1);
    if (at < 0) break;
    at += 4;
    while (word(at) === ITEM && word(at + 4) !== UNDEFINED) {
      const next = at + 8 + word(at + 4);
      if (next > data.length) return data; // cut short inside an item
      at = next;
    }
    // An item of undefined length ends where its own delimiter says; its sequence is looked at no further.
    if (![END, ITEM, ITEM_END].includes(word(at))) cuts.push(at);
  }
  if (cuts.length === 0) return data;
  const whole = new Uint8Array(data.length + 8 * cuts.length);
  const delimiter = Uint8Array.of(0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0);
  for (const [index, cut] of cuts.entries()) {
    whole.set(data.subarray(cuts[index - 1] ?? 0, cut), (cuts[index - 1] ?? 0) + 8 * index);
    whole.set(delimiter, cut + 8 * index);
  }
  whole.set(data.subarray(cuts.at(-1)!), cuts.at(-1)! + 8 * cuts.length);
  return whole;
}
