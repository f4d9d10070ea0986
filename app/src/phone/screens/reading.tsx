import { ReadingSummary, wasRead } from '../../components/reading';
import { Disclaimer, Notice } from '../../components/notice';
import { VerdictForm } from '../../components/verdict_form';
import { Viewer } from '../../components/viewer';
import { inverted, rotated } from '../../film/film';
import { useSpeech } from '../../i18n';
import { pointName } from '../../i18n/sentences';
import { isOf, rejudged } from '../../worklist/reading';
import { useCase } from '../hooks/case';
import { cardOf, go, useAppState } from '../state';
import { notKept } from './kept';
import { Unlock } from './pin';

export function ReadingScreen({ id }: { id: string }) {
  const speech = useSpeech();
  const { t, number, percent } = speech;
  const app = useAppState();
  const { worklist, show } = app;
  const shown = useCase(id);
  if (!shown) return worklist?.locked ? <Unlock /> : <p role="status">{t.loading}</p>;
  const { reading, film, picture, kept, photo, stillNegative } = shown;
  const card = cardOf(app);
  const read = wasRead(reading);

  return (
    <>
      <ReadingSummary reading={reading} card={card} advice={stillNegative ? t.straighten.cure : undefined} />
      <Disclaimer card={card} />
      {kept !== 'kept' && <Notice kind="warning">{notKept(kept, speech)}</Notice>}
      {(film || picture) && card && (
        <Viewer film={film} picture={picture} heatmap={read} fullColour={card.heatmapReference}>
          {film && (
            <div class="row">
              <button onClick={() => void app.readFilm(rotated(film), photo)}>{t.viewer.rotate}</button>
              <button onClick={() => void app.readFilm(inverted(film), photo)}>{t.viewer.invert}</button>
              <button onClick={() => app.straightenFilm(photo ?? film)}>{t.viewer.straighten}</button>
            </div>
          )}
        </Viewer>
      )}
      {reading.status === 'refused' && film && (
        <div class="row">
          {reading.codes.includes('negative') && !stillNegative && (
            <button onClick={() => void app.readFilm(inverted(film), photo)}>{t.viewer.invert}</button>
          )}
          <button onClick={() => void app.readFilm(rotated(film), photo)}>{t.viewer.rotate}</button>
          <button class={stillNegative ? 'primary' : ''} onClick={() => app.straightenFilm(photo ?? film)}>
            {stillNegative ? t.straighten.again : t.viewer.straighten}
          </button>
        </div>
      )}
      {app.photos > 0 && (
        <button class="big primary" onClick={() => void app.nextPhoto()}>
          {t.straighten.next} ({number(app.photos)})
        </button>
      )}
      <button class="big primary" onClick={() => go('/')}>
        {t.home.next}
      </button>
      {!film && !picture && reading.status !== 'failed' && <p class="hint">{t.worklist.noFilm}</p>}
      {read && card && isOf(reading, card) && (
        <label class="field">
          <span>{t.point.label}</span>
          <select
            value={reading.operatingPoint}
            onChange={(event) => {
              const changed = rejudged(reading, card, event.currentTarget.value);
              show({ ...shown, reading: changed });
              if (kept === 'kept') void worklist?.update(changed);
            }}
          >
            {Object.keys(card.operatingPoints).map((name) => (
              <option key={name} value={name}>
                {pointName(name, speech)} ({percent(card.operatingPoints[name].suspected_from)})
              </option>
            ))}
          </select>
        </label>
      )}
      {kept === 'kept' && (
        <VerdictForm
          key={`${id} ${reading.operatingPoint}`}
          reading={reading}
          card={card}
          save={(changed) => (show({ ...shown, reading: changed }), worklist!.update(changed))}
        />
      )}
      {read && (
        <a class="button" href={`#/report/${id}`}>
          {t.worklist.report}
        </a>
      )}
      <p class="small">
        <bdi>{reading.file}</bdi> · <bdi>{reading.reader}</bdi> · <bdi>{number(reading.elapsedMs)} ms</bdi>
      </p>
    </>
  );
}
