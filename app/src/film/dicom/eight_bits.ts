/** Step 7, eight bits: the values of a film over the whole range of grey (PS3.4 N.2.5). */

/** Share of a film's range that a burnt-in label leaves empty between itself and the film. */
const GAP = 7 / 8;
/** Values that a film has at least. */
const LEAST = 16;

/** Grey levels: the lowest of the values `among` the film 0, the highest 255; the others are cut to these. */
export function eightBits(values: Float64Array, among: Uint8Array): Uint8Array {
  let low = Infinity;
  let high = -Infinity;
  for (let index = 0; index < values.length; index++) {
    if (among[index] && values[index] < low) low = values[index];
    if (among[index] && values[index] > high) high = values[index];
  }
  if (!(high > low)) return new Uint8Array(values.length);
  const factor = 255 / (high - low);
  return Uint8Array.from(values, (value) => (Math.min(high, Math.max(low, value)) - low) * factor + 0.5);
}

/**
 * Which values the greys are spread over: all of the film's but a burnt-in label, one value far above all others.
 * `film` itself where it has no such label.
 */
export function withoutLabel(values: Float64Array, film: Uint8Array): Uint8Array {
  const found = values.filter((_, index) => film[index]).sort();
  const top = found.at(-1)!;
  const below = found.filter((value) => value < top);
  if (new Set(found).size <= LEAST || top - below.at(-1)! < GAP * (top - found[0])) return film;
  return film.map((occurs, index) => Number(occurs && values[index] < top));
}
