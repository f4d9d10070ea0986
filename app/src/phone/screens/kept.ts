import type { Speech } from '../../i18n';
import type { Kept } from '../assistant';

/** Why a reading was not kept. */
export function notKept(kept: Kept, { t }: Speech): string {
  return {
    kept: '',
    full: t.worklist.full,
    storage_full: t.worklist.storageFull,
    unavailable: t.worklist.storageFailed,
    locked: t.worklist.lockedNotKept,
  }[kept];
}
