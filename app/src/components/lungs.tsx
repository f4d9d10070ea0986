import { OUTLINE } from '../contract/colours';
import type { Outline } from '../worklist/reading';

/** The lungs' outline, to lie over a film of any size. */
export function Lungs({ lungs }: { lungs?: Outline[] }) {
  if (!lungs?.length) return null;
  return (
    <svg class="lungs" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
      {lungs.map((line, index) => (
        <polygon key={index} points={line.join(' ')} stroke={OUTLINE} fill="none" vector-effect="non-scaling-stroke" />
      ))}
    </svg>
  );
}
