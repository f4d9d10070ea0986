import { useEffect } from 'preact/hooks';
import type { Worklist } from '../../worklist/store';

/** Deletes readings older than `days`, now and every hour. */
export function useWiping(worklist: Worklist | null, days: number): void {
  useEffect(() => {
    const wipe = () => void worklist?.wipeOlderThan(days).catch(() => undefined);
    wipe();
    const clock = setInterval(wipe, 3_600_000);
    return () => clearInterval(clock);
  }, [worklist, days]);
}
