import { useEffect } from 'preact/hooks';

/** How long a phone may lie with the app out of sight before the worklist is locked, in milliseconds. */
const LOCK_AFTER = 5 * 60_000;

/** Calls `lock` when the app comes back after a long absence, but not while `busy`. */
export function useAutomaticLock(lock: () => void, busy: () => boolean): void {
  useEffect(() => {
    let left = Infinity;
    const changed = () => {
      if (document.hidden) left = Date.now();
      else if (Date.now() - left > LOCK_AFTER && !busy()) lock();
    };
    document.addEventListener('visibilitychange', changed);
    return () => document.removeEventListener('visibilitychange', changed);
  }, [lock]);
}
