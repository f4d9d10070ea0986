import { useLayoutEffect, useMemo, useState } from 'preact/hooks';
import { type Speech, speech } from '../../i18n';
import { keepSettings, loadSettings, type Settings } from '../settings';

/** The user's choices, kept and applied to the page, and the language that they choose. */
export function useSettings(): { settings: Settings; change: (changed: Partial<Settings>) => void; spoken: Speech } {
  const [settings, setSettings] = useState<Settings>(loadSettings);
  const spoken = useMemo(() => speech(settings.language, settings.digits), [settings.language, settings.digits]);
  // With the page that shows it, not a frame later: who closes the app at once finds the choice again.
  useLayoutEffect(() => {
    document.documentElement.lang = settings.language;
    document.documentElement.dir = spoken.t.direction;
    document.title = spoken.t.app;
    keepSettings(settings);
  }, [settings]);
  return { settings, change: (changed) => setSettings((before) => ({ ...before, ...changed })), spoken };
}
