import { useEffect } from 'preact/hooks';
import { Disclaimer, Notice } from '../../components/notice';
import { StatusIcon } from '../../components/status';
import { STATUSES } from '../../contract/names';
import { useSpeech } from '../../i18n';
import { cardOf, go, goInstead, useAppState } from '../state';
import { notKept } from './kept';

export function BatchScreen() {
  const speech = useSpeech();
  const { t, number, count } = speech;
  const app = useAppState();
  const { batch } = app;
  useEffect(() => {
    if (!batch) goInstead('/');
  }, [batch]);
  if (!batch) return null;
  const { done, all, waiting, counts, over, stopped, lost, kept } = batch;
  const films = count('films', all);
  return (
    <>
      <h1>{t.batch.title}</h1>
      <progress max={all} value={over ? all : done + waiting} aria-label={t.batch.title} />
      <p class="large" role="status">
        {stopped || lost
          ? t.batch.cancelled(number(done), films)
          : over
            ? t.batch.done(count('films', done))
            : t.batch.progress(number(done), films)}
      </p>
      {over ? (
        <>
          {kept !== 'kept' && <Notice kind="warning">{notKept(kept, speech)}</Notice>}
          <ul class="counts">
            {STATUSES.filter((status) => counts[status]).map((status) => (
              <li key={status} class={status}>
                <StatusIcon status={status} />
                <span>{t.status[status]}</span>
                <strong>{number(counts[status]!)}</strong>
              </li>
            ))}
          </ul>
          {(stopped || lost) && done > 0 && <p>{t.batch.kept}</p>}
          {lost && <Notice kind="warning">{t.batch.lost}</Notice>}
          {app.photos > 0 && (
            <>
              <Notice kind="warning">{t.batch.waiting(count('photos', app.photos))}</Notice>
              <button class="primary big" onClick={() => void app.nextPhoto()}>
                {t.batch.straighten}
              </button>
            </>
          )}
          <button class="primary big" onClick={() => go('/worklist')}>
            {t.batch.open}
          </button>
          <Disclaimer card={cardOf(app)} />
        </>
      ) : (
        <button class="big" onClick={app.stop}>
          {t.batch.cancel}
        </button>
      )}
    </>
  );
}
