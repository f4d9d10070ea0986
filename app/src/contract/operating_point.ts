import type { Status } from './names';

/**
 * Two promised error rates, and the two cut-offs that follow from them. It is the only rule by which a probability becomes a
 * status. The same lines as in `ai_for_sudan.contract.operating_point`.
 */
export interface OperatingPoint {
  /** Promised share of positive films that may be not seen; missing where nothing is promised. */
  missed?: number | null;
  /** Promised share of negative films that may be suspected. */
  false_alarms?: number | null;
  not_seen_below: number;
  /** Never less than `not_seen_below`; films between the two are uncertain. */
  suspected_from: number;
  reason?: string;
  /** What was seen of it, by the name of the films. */
  measured?: Record<string, Record<'positive' | 'negative' | 'all', Outcomes>> | null;
}

/** Films of one class: each status has its share of them, with an interval; null where there are none. */
interface Outcomes {
  films: number;
  shares: Record<'suspected' | 'uncertain' | 'not_seen' | 'refused', [number | null, number | null, number | null]>;
}

/** An operating point as a card of schema 1 or 2 has it, with one band for all points beside. */
interface OldPoint {
  threshold: number;
  reason?: string;
}

export interface Band {
  lower: number;
  upper: number;
  error_rate?: number;
}

/** The status that a probability has at an operating point; NaN is uncertain. */
export function statusAt(
  point: OperatingPoint,
  probability: number,
): Extract<Status, 'suspected' | 'uncertain' | 'not_seen'> {
  if (probability >= point.suspected_from) return 'suspected';
  return probability < point.not_seen_below ? 'not_seen' : 'uncertain';
}

/**
 * The operating points of a checked card in the form of now. Old ones keep their statuses, except where the threshold lies
 * outside the band: films between the two are uncertain, and the reason says so. An empty band left no film to a person.
 */
export function pointsOf(
  points: Record<string, OperatingPoint | OldPoint>,
  band: Band | null | undefined,
): Record<string, OperatingPoint> {
  return Object.fromEntries(
    Object.entries(points).map(([name, point]) => [name, 'suspected_from' in point ? point : ofNow(point, band)]),
  );
}

function ofNow(old: OldPoint, band: Band | null | undefined): OperatingPoint {
  const { threshold, ...others } = old;
  const [lower, upper] = band && band.lower < band.upper ? [band.lower, band.upper] : [threshold, threshold];
  const [low, high] = [Math.min(threshold, lower), Math.max(threshold, upper)];
  const promised = band && band.lower < band.upper ? band.error_rate : undefined;
  const said =
    `the threshold of ${threshold.toFixed(3)} lies outside the band of ${lower.toFixed(3)} to ${upper.toFixed(3)} that is ` +
    `left to a person: films from ${low.toFixed(3)} to ${high.toFixed(3)} are uncertain`;
  const reason = lower <= threshold && threshold <= upper ? old.reason : old.reason ? `${old.reason}; ${said}` : said;
  return {
    ...others,
    not_seen_below: low,
    suspected_from: high,
    ...(reason && { reason }),
    ...(promised !== undefined && { missed: promised, false_alarms: promised }),
  };
}
