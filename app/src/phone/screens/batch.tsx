import { Disclaimer, Notice } from '../../components/notice';
import { StatusIcon } from '../../components/status';
import { STATUSES } from '../../contract/names';
import { useSpeech } from '../../i18n';
import { cardOf, go, useAppState } from '../state';
import { notKept } from './kept';

export function BatchScreen() {
  const speech = useSpeech();
  const { t, number, count } = speech;
  const app = useAppState();
  const { batch } = app;
  // One film alone is shown as soon as it is read.
  if (!batch) return <p role="status">{t.loading}</p>;
  const { done, all, waiting, counts, over, stopped, kept } = batch;
  const films = count('films', all);
  return (
    <>
      <h1>{t.batch.title}</h1>
      <progress max={all} value={over ? all : done + waiting} aria-label={t.batch.title} />
      <p class="large" role="status">
        {stopped
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
          {stopped && done > 0 && <p>{t.batch.kept}</p>}
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
