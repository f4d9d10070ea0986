import { Disclaimer, Notice } from '../../components/notice';
import { cardOf, go, useRoom } from '../room';
import { useSpeech } from '../../i18n';
import { notKept } from './kept';

export function BatchScreen() {
  const speech = useSpeech();
  const { t, number } = speech;
  const room = useRoom();
  const { batch, stop } = room;
  if (!batch) return <p>{t.worklist.empty}</p>;
  const { done, all, stopped, kept } = batch;
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
          {kept !== 'kept' && <Notice kind="warning">{notKept(kept, speech)}</Notice>}
          {stopped && done > 0 && <p>{t.batch.kept}</p>}
          <button class="primary big" onClick={() => go('/worklist')}>
            {t.batch.open}
          </button>
          <Disclaimer card={cardOf(room)} />
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
