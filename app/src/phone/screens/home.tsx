import { WhereFilmsGo } from '../../clinic/phone/screen';
import { useRef } from 'preact/hooks';
import { Disclaimer, Notice } from '../../components/notice';
import { useSpeech } from '../../i18n';
import { cardOf, useAppState } from '../state';

const PICTURES = 'image/*,.dcm,.dicom,application/dicom';

export function Home() {
  const { t } = useSpeech();
  const app = useAppState();
  const { read, engine, offlineReady } = app;
  const camera = useRef<HTMLInputElement>(null);
  const gallery = useRef<HTMLInputElement>(null);
  const take = (input: HTMLInputElement, photographed: boolean) => {
    const files = [...(input.files ?? [])];
    // The same film chosen twice must be a change again.
    input.value = '';
    void read(files, photographed);
  };
  const ready = engine.state === 'ready';
  return (
    <>
      <h1 class="visually-hidden">{t.app}</h1>
      <p class="subtitle">{t.subtitle}</p>
      <div class="actions">
        <button class="big primary" disabled={engine.state === 'failed'} onClick={() => camera.current?.click()}>
          <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
            <path d="M3 7h4l2-3h6l2 3h4v13H3ZM12 9.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8Z" />
          </svg>
          <span>
            {t.home.photograph}
            <small>{t.home.photographHint}</small>
          </span>
        </button>
        <button class="big" disabled={engine.state === 'failed'} onClick={() => gallery.current?.click()}>
          <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
            <path d="M3 4h18v16H3ZM3 16l5-5 4 4 3-3 6 6M15.5 7.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3Z" />
          </svg>
          <span>
            {t.home.choose}
            <small>{t.home.chooseHint}</small>
          </span>
        </button>
        <input
          ref={camera}
          hidden
          type="file"
          accept="image/*"
          capture="environment"
          data-input="camera"
          onChange={(event) => take(event.currentTarget, true)}
        />
        <input
          ref={gallery}
          hidden
          type="file"
          accept={PICTURES}
          multiple
          data-input="gallery"
          onChange={(event) => take(event.currentTarget, false)}
        />
      </div>
      <nav class="pair">
        <a class="button" href="#/worklist">
          {t.home.worklist}
        </a>
        <a class="button" href="#/settings">
          {t.home.settings}
        </a>
      </nav>
      <EngineState />
      {ready && (
        <ul class="facts">
          <li>{offlineReady ? t.reader.offline : t.reader.notOffline}</li>
          <li>
            <WhereFilmsGo otherwise={t.home.private} />
          </li>
        </ul>
      )}
      {!isSecureContext && <Notice kind="warning">{t.settings.insecure}</Notice>}
      <Disclaimer card={cardOf(app)} />
    </>
  );
}

function EngineState() {
  const { t } = useSpeech();
  const { engine, retry } = useAppState();
  if (engine.state === 'failed') {
    const said = t.reader as Record<string, string>;
    return (
      <Notice kind="warning">
        <p>{said[engine.code] ?? t.reader.unexpected}</p>
        <details>
          <summary>{t.reader.details}</summary>
          <p lang="en" dir="ltr">
            {engine.message}
          </p>
        </details>
        <button onClick={retry}>{t.reader.retry}</button>
      </Notice>
    );
  }
  return (
    <>
      <p class={`engine ${engine.state}`} role="status">
        {engine.state === 'ready' ? t.reader.ready : t.reader.opening}
      </p>
      {engine.state === 'opening' && engine.loaded !== undefined && (
        <progress max={1} value={engine.loaded} aria-label={t.reader.opening} />
      )}
    </>
  );
}
