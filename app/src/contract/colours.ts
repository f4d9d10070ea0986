/** The colours of the heatmap: one table for films, legends, reports and both programs. */
import table from '../../../src/ai_for_sudan/contract/colours.json';

type Colour = [red: number, green: number, blue: number, alpha: number];

const STOPS = table.stops.map(({ share, rgb, opacity }) => ({ share, colour: [...rgb, 255 * opacity] as Colour }));

/** Of the lungs' outline, and the probability of lung at which it is drawn. */
export const OUTLINE = `rgb(${table.outline.rgb.join(' ')})`;
export const OUTLINE_AT = table.outline.at;

/** A share of full attribution, 0..1, as [red, green, blue, alpha] in 0..255, between the table's stops in a line. */
export function colour(share: number): Colour {
  const above = STOPS.findIndex((stop) => stop.share >= share);
  if (above === 0) return STOPS[0].colour;
  if (above < 0) return STOPS[STOPS.length - 1].colour;
  const [low, high] = [STOPS[above - 1], STOPS[above]];
  const way = (share - low.share) / (high.share - low.share);
  return low.colour.map((value, index) => value + (high.colour[index] - value) * way) as Colour;
}

/** The table as a CSS background for a legend: over a grey ground, for on black a clear colour would seem black. */
export const LEGEND = (() => {
  const ground = `rgb(${Array(3).fill(table.legend_ground).join(' ')})`;
  const stops = table.stops.map(({ share, rgb, opacity }) => `rgb(${rgb.join(' ')} / ${opacity}) ${100 * share}%`);
  return `linear-gradient(to right, ${stops.join(', ')}), ${ground}`;
})();
