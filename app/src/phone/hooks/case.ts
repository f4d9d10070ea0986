import { useEffect } from 'preact/hooks';
import type { Case } from '../assistant';
import { goInstead, useAppState } from '../state';

/** The case with this id: what is on the screen, or else what the worklist holds; null until it is there. */
export function useCase(id: string): Case | null {
  const { current, worklist, show } = useAppState();
  const shown = current?.reading.id === id ? current : null;
  const locked = worklist?.locked;
  useEffect(() => {
    if (shown || locked) return;
    let wanted = true;
    void (async () => {
      const reading = await worklist?.get(id);
      const picture = (await worklist?.film(id)) ?? null;
      if (!wanted) return;
      if (reading) show({ reading, film: null, picture, photo: null, stillNegative: false, kept: 'kept' });
      else goInstead('/worklist');
    })();
    return () => {
      wanted = false;
    };
  }, [id, shown, locked]);
  return shown;
}
