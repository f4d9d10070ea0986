import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Assistant, type Case } from './assistant';
import { type Batch, type Engine, go, type Room, RoomContext } from './context';
import type { Film } from './film/film';
import { LANGUAGES, type Language, speech, SpeechContext } from './i18n';
import { settled, watchOffline } from './offline';
import type { ReaderClient, WorkerError } from './reader/client';
import { BatchScreen } from './screens/batch';
import { Home } from './screens/home';
import { Notice } from './screens/parts';
import { ReadingScreen } from './screens/reading';
import { Report } from './screens/report';
import { SettingsScreen } from './screens/settings';
import { StraightenScreen } from './screens/straighten';
import { WorklistScreen } from './screens/worklist';
import { keepSettings, loadSettings, type Settings } from './settings';
import type { Worklist } from './worklist/store';

/** How long a phone may lie with the app out of sight before the worklist is locked, in milliseconds. */
const LOCK_AFTER = 5 * 60_000;

function useRoute(): string[] {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => {
      setHash(location.hash);
      scrollTo(0, 0);
      document.getElementById('content')?.focus();
    };
    addEventListener('hashchange', changed);
    // The address may have changed before anybody listened.
    setHash(location.hash);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return hash.replace(/^#\/?/, '').split('/');
}

export function App({ client, worklist }: { client: ReaderClient; worklist: Worklist | null }) {
  const assistant = useMemo(() => new Assistant(client, worklist), [client, worklist]);
  const [settings, setSettings] = useState<Settings>(loadSettings);
  const [engine, setEngine] = useState<Engine>({ state: 'opening' });
  const [current, setCurrent] = useState<Case | null>(null);
  const [batch, setBatch] = useState<Batch | null>(null);
  const [photo, setPhoto] = useState<Film | null>(null);
  const [offlineReady, setOfflineReady] = useState(false);
  const [update, setUpdate] = useState<(() => void) | null>(null);
  const [, setDrawn] = useState(0);
  const stopped = useRef(false);
  const reading = useRef(false);
  const route = useRoute();
  const spoken = useMemo(() => speech(settings.language, settings.digits), [settings.language, settings.digits]);
  const { t } = spoken;

  const open = () => {
    setEngine({ state: 'opening' });
    settled((loaded) => setEngine({ state: 'opening', loaded }))
      .then(() => client.open())
      .then(
        ({ card, threads }) => setEngine({ state: 'ready', card, threads }),
        (error: WorkerError) => setEngine({ state: 'failed', code: error.codes[0], message: error.message }),
      );
  };

  useEffect(open, [client]);
  useEffect(() => watchOffline(setOfflineReady, (activate) => setUpdate(() => activate)), []);
  useEffect(() => {
    document.documentElement.lang = settings.language;
    document.documentElement.dir = t.direction;
    document.title = t.app;
    keepSettings(settings);
  }, [settings]);
  useEffect(() => {
    const wipe = () => void worklist?.wipeOlderThan(settings.keepDays).catch(() => undefined);
    wipe();
    const clock = setInterval(wipe, 3_600_000);
    return () => clearInterval(clock);
  }, [worklist, settings.keepDays]);

  const goTo = (read: Case) => {
    setCurrent(read);
    go(`/reading/${read.reading.id}`);
  };

  const redraw = () => setDrawn((count) => count + 1);

  const lock = () => {
    if (!worklist?.hasPin || worklist.locked) return;
    worklist.lock();
    // What is on the screen was opened with the PIN.
    setCurrent(null);
    redraw();
  };

  useEffect(() => {
    let left = Infinity;
    const turned = () => {
      if (document.hidden) left = Date.now();
      else if (Date.now() - left > LOCK_AFTER && !reading.current) lock();
    };
    document.addEventListener('visibilitychange', turned);
    return () => document.removeEventListener('visibilitychange', turned);
  }, [worklist]);

  const room: Room = {
    assistant,
    engine,
    settings,
    worklist,
    current,
    batch,
    photo,
    offlineReady,
    change: (changed) => setSettings((before) => ({ ...before, ...changed })),
    show: setCurrent,
    lock,
    redraw,
    stop: () => {
      stopped.current = true;
    },
    retry: open,
    straightenFilm: (film) => {
      setPhoto(film);
      go('/straighten');
    },
    readFilm: async (film) => {
      const again = current?.film && current.film.name === film.name ? current.reading : undefined;
      goTo(await assistant.readFilm(film, settings.operatingPoint, undefined, again));
    },
    read: async (files, photographed = false) => {
      if (files.length === 0) return;
      // Two batches at once would mix: the one under way is shown, and can be stopped.
      if (reading.current) return go('/batch');
      void navigator.storage?.persist?.();
      if (photographed && files.length === 1) {
        try {
          const film = await client.decode(files[0], files[0].name);
          setCurrent(null);
          setPhoto(film);
          go('/straighten');
          return;
        } catch {
          // Reading it says why it cannot be opened.
        }
      }
      stopped.current = false;
      reading.current = true;
      let batch: Batch = { done: 0, all: files.length, stopped: false, kept: 'kept' };
      setBatch(batch);
      go('/batch');
      try {
        for (const file of files) {
          const read = await assistant.readFile(file, settings.operatingPoint);
          if (files.length === 1) return goTo(read);
          // A reading that is neither shown nor kept would be lost: the batch ends there, and says why.
          const { kept } = read;
          const done = batch.done + Number(kept === 'kept');
          batch = { ...batch, kept, done, stopped: stopped.current || kept !== 'kept' };
          setBatch(batch);
          if (batch.stopped) return;
        }
      } finally {
        reading.current = false;
      }
    },
  };

  // A worker that died was started again; the home screen tells when it is ready.
  useEffect(() => {
    if (current?.reading.codes.includes('crashed')) open();
  }, [current]);

  useEffect(() => {
    const files = (data: DataTransfer | null) => [...(data?.files ?? [])];
    const over = (event: DragEvent) => event.preventDefault();
    const drop = (event: DragEvent) => {
      event.preventDefault();
      void room.read(files(event.dataTransfer));
    };
    const paste = (event: ClipboardEvent) => void room.read(files(event.clipboardData));
    addEventListener('dragover', over);
    addEventListener('drop', drop);
    addEventListener('paste', paste);
    return () => {
      removeEventListener('dragover', over);
      removeEventListener('drop', drop);
      removeEventListener('paste', paste);
    };
  }, [settings, assistant]);

  const screens: Record<string, preact.JSX.Element> = {
    reading: <ReadingScreen id={route[1]} />,
    batch: <BatchScreen />,
    straighten: <StraightenScreen />,
    worklist: <WorklistScreen />,
    report: <Report id={route[1]} />,
    settings: <SettingsScreen />,
  };
  const home = !(route[0] in screens);
  const other: Language = settings.language === 'ar' ? 'en' : 'ar';

  return (
    <SpeechContext.Provider value={spoken}>
      <RoomContext.Provider value={room}>
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
          <button class="quiet" lang={other} onClick={() => room.change({ language: other })}>
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
          {home ? <Home /> : screens[route[0]]}
        </main>
      </RoomContext.Provider>
    </SpeechContext.Provider>
  );
}
