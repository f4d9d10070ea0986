import { go, useRoom } from '../context';
import { useSpeech } from '../i18n';
import { Disclaimer } from './parts';

export function BatchScreen() {
  const { t, number } = useSpeech();
  const { batch, stop } = useRoom();
  if (!batch) return <p>{t.worklist.empty}</p>;
  const { done, all, stopped } = batch;
  const over = stopped || done === all;
  return (
    <>
      <h1>{t.batch.title}</h1>
      <progress max={all} value={done} aria-label={t.batch.title} />
      <p class="large" role="status">
        {stopped
          ? t.batch.cancelled(number(done), number(all))
          : over
            ? t.batch.done(number(all))
            : t.batch.progress(number(done), number(all))}
      </p>
      {over ? (
        <>
          {stopped && <p>{t.batch.kept}</p>}
          <button class="primary big" onClick={() => go('/worklist')}>
            {t.batch.open}
          </button>
          <Disclaimer />
        </>
      ) : (
        all > 1 && (
          <button class="big" onClick={stop}>
            {t.batch.cancel}
          </button>
        )
      )}
    </>
  );
}
