import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { PairScreen, useSending } from '../clinic/phone/screen';
import { Notice } from '../components/notice';
import { useRoute } from '../components/route';
import { LANGUAGES, type Language, SpeechContext } from '../i18n';
import type { ReaderClient } from '../reader/client';
import type { Worklist } from '../worklist/store';
import { Assistant } from './assistant';
import { useEngine } from './hooks/engine';
import { useFilms } from './hooks/films';
import { useIncomingFilms } from './hooks/incoming';
import { useAutomaticLock } from './hooks/lock';
import { useSettings } from './hooks/settings';
import { useWiping } from './hooks/wiping';
import { watchOffline } from './offline/register';
import { type AppState, AppContext } from './state';
import { BatchScreen } from './screens/batch';
import { Home } from './screens/home';
import { ReadingScreen } from './screens/reading';
import { ReportScreen } from './screens/report';
import { SettingsScreen } from './screens/settings';
import { StraightenScreen } from './screens/straighten';
import { WorklistScreen } from './screens/worklist';

export function App({ client, worklist }: { client: ReaderClient; worklist: Worklist | null }) {
  const assistant = useMemo(() => new Assistant(client, worklist), [client, worklist]);
  const { settings, change, spoken } = useSettings();
  const { engine, open } = useEngine(client);
  const { busy, ...films } = useFilms(assistant, settings.operatingPoint);
  const [offlineReady, setOfflineReady] = useState(false);
  const [update, setUpdate] = useState<(() => void) | null>(null);
  const [, setDrawn] = useState(0);
  const route = useRoute();
  const { t } = spoken;

  const redraw = () => setDrawn((count) => count + 1);
  const lock = useCallback(() => {
    if (!worklist?.hasPin || worklist.locked) return;
    worklist.lock();
    // What is on the screen was opened with the PIN.
    films.show(null);
    redraw();
  }, [worklist]);

  useEffect(() => watchOffline(setOfflineReady, (activate) => setUpdate(() => activate)), []);
  useWiping(worklist, settings.keepDays);
  useSending(worklist);
  useAutomaticLock(lock, busy);
  useIncomingFilms(films.read);
  // A worker that died was started again; the home screen tells when it is ready.
  useEffect(() => {
    if (films.current?.reading.codes.includes('crashed')) open();
  }, [films.current]);

  const app: AppState = {
    ...films,
    assistant,
    engine,
    settings,
    worklist,
    offlineReady,
    change,
    lock,
    redraw,
    retry: open,
  };
  const screens: Record<string, preact.JSX.Element> = {
    reading: <ReadingScreen id={route[1]} />,
    batch: <BatchScreen />,
    straighten: <StraightenScreen />,
    worklist: <WorklistScreen />,
    report: <ReportScreen id={route[1]} />,
    settings: <SettingsScreen />,
    pair: <PairScreen code={route[1]} worklist={worklist} />,
  };
  const home = !(route[0] in screens);
  const other: Language = settings.language === 'ar' ? 'en' : 'ar';

  return (
    <SpeechContext.Provider value={spoken}>
      <AppContext.Provider value={app}>
        <a
          class="skip"
          href="#content"
          onClick={(event) => {
            event.preventDefault();
            document.getElementById('content')?.focus();
          }}
        >
          {t.skip}
        </a>
        <header class="bar no-print">
          {home ? (
            <span class="brand">{t.app}</span>
          ) : (
            <a class="button quiet" href="#/">
              <span class="arrow" aria-hidden="true" /> {t.home.back}
            </a>
          )}
          <button class="quiet" lang={other} onClick={() => change({ language: other })}>
            {LANGUAGES[other].name}
          </button>
        </header>
        {update && (
          <Notice kind="info">
            {t.update.offer}{' '}
            <span class="row">
              <button onClick={update}>{t.update.now}</button>
              <button class="quiet" onClick={() => setUpdate(null)}>
                {t.update.later}
              </button>
            </span>
          </Notice>
        )}
        <main id="content" tabIndex={-1}>
          {films.opening ? <p role="status">{t.loading}</p> : home ? <Home /> : screens[route[0]]}
        </main>
      </AppContext.Provider>
    </SpeechContext.Provider>
  );
}
