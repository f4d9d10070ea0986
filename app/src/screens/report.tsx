import { useEffect, useRef } from 'preact/hooks';
import { useRoom } from '../context';
import { useSpeech } from '../i18n';
import { LEGEND } from '../contract/colours';
import { heatPicture } from '../reader/heatmap';
import type { KeptFilm } from '../worklist/reading';
import { Disclaimer, pointName, sentence, StatusIcon, useCase, warningOf } from './parts';
import { Unlock } from './pin';

/** One page to print or to save as PDF through the browser. */
export function Report({ id }: { id: string }) {
  const speech = useSpeech();
  const { t, number, percent, date } = speech;
  const { worklist, engine } = useRoom();
  const shown = useCase(id);
  if (!shown && worklist?.locked) return <Unlock />;
  if (!shown || engine.state !== 'ready') return <p role="status">{t.loading}</p>;
  const { reading, picture } = shown;
  const verdicts: Record<string, string> = { agree: t.form.agree, disagree: t.form.disagree, unsure: t.form.unsure };
  const text = [
    t.report.title,
    `${t.report.patient}: ${reading.patient || '—'}`,
    `${t.report.date}: ${date(reading.readAt)}`,
    `${t.status[reading.status]}. ${sentence(reading, speech, engine.card)}`,
    reading.reader,
    t.disclaimer,
  ].join('\n');
  return (
    <>
      <div class="row no-print">
        <button class="primary" onClick={() => print()}>
          {t.report.print}
        </button>
        {'share' in navigator && (
          <button onClick={() => void navigator.share({ title: t.report.title, text }).catch(() => undefined)}>
            {t.report.share}
          </button>
        )}
      </div>
      <article class="report">
        <h1>{t.report.title}</h1>
        <dl>
          <dt>{t.report.patient}</dt>
          <dd>
            <bdi>{reading.patient || '—'}</bdi>
          </dd>
          <dt>{t.form.age}</dt>
          <dd>{reading.age === null ? '—' : number(reading.age, 1)}</dd>
          <dt>{t.report.date}</dt>
          <dd>{date(reading.readAt)}</dd>
        </dl>
        <div class={`answer ${reading.status}`}>
          <StatusIcon status={reading.status} />
          <h2>{t.status[reading.status]}</h2>
          <p>{sentence(reading, speech, engine.card)}</p>
        </div>
        <Disclaimer />
        {reading.warnings.map((code) => (
          <p key={code}>
            <strong>{warningOf(code, speech, engine.card)}</strong>
          </p>
        ))}
        {picture && (
          <div class="pictures">
            <figure>
              <img src={picture.picture} alt={t.viewer.film} />
              <figcaption>{t.report.film}</figcaption>
            </figure>
            {reading.status !== 'refused' && (
              <figure>
                <Overlay picture={picture} reference={engine.card.heatmapReference} label={t.report.map} />
                <figcaption>
                  {t.report.map}: {t.viewer.little}{' '}
                  <span class="ramp" style={{ background: LEGEND }} aria-hidden="true" /> {t.viewer.strong}
                </figcaption>
              </figure>
            )}
          </div>
        )}
        <dl>
          <dt>{t.point.label}</dt>
          <dd>
            {pointName(reading.operatingPoint, speech)} ({percent(reading.threshold)})
          </dd>
          <dt>{t.report.reader}</dt>
          <dd>
            <bdi>{reading.reader}</bdi>
          </dd>
          {reading.note && (
            <>
              <dt>{t.form.note}</dt>
              <dd>
                <bdi>{reading.note}</bdi>
              </dd>
            </>
          )}
          <dt>{t.report.verdict}</dt>
          <dd>{reading.verdict ? verdicts[reading.verdict] : t.form.none}</dd>
          <dt>{t.report.signature}</dt>
          <dd class="signature" />
        </dl>
      </article>
    </>
  );
}

function Overlay({ picture, reference, label }: { picture: KeptFilm; reference: number; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const image = new Image();
    image.onload = () => {
      const target = canvas.current!;
      const context = target.getContext('2d')!;
      target.width = image.naturalWidth;
      target.height = image.naturalHeight;
      context.drawImage(image, 0, 0);
      const heat = heatPicture(picture.heatmap, picture.heatmapSize[0], picture.heatmapSize[1], reference);
      const layer = new OffscreenCanvas(heat.width, heat.height);
      layer.getContext('2d')!.putImageData(heat, 0, 0);
      context.drawImage(layer, 0, 0, target.width, target.height);
    };
    image.src = picture.picture;
  }, [picture]);
  return <canvas ref={canvas} role="img" aria-label={label} />;
}
