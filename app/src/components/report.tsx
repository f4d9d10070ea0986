import { useEffect, useRef } from 'preact/hooks';
import { type Speech, useSpeech } from '../i18n';
import { pointName, population, sentence, statusOf, warningsOf } from '../i18n/sentences';
import type { Card } from '../contract/card';
import { LEGEND } from '../contract/colours';
import { heatmapPicture } from '../reader/heatmap';
import type { KeptFilm, Reading } from '../worklist/reading';
import { Warnings } from './reading';
import { Disclaimer } from './notice';
import { Lungs } from './lungs';
import { StatusIcon } from './status';

/** The report as plain text, to share. */
export function reportText(reading: Reading, speech: Speech, card: Card): string {
  const { t, age, date } = speech;
  return [
    t.report.title,
    `${t.report.patient}: ${reading.patient || '—'}`,
    `${t.form.age}: ${reading.age === null ? '—' : age(reading.age)}`,
    `${t.report.date}: ${date(reading.readAt)}`,
    `${statusOf(reading, speech)}. ${sentence(reading, speech, card)}`,
    ...warningsOf(reading, speech, card).map((text) => `${t.warningsTitle}: ${text}`),
    reading.reader,
    [t.disclaimer, population(card, speech)].join(' '),
  ].join('\n');
}

interface Props {
  reading: Reading;
  picture: KeptFilm | null;
  card: Card;
}

/** One page on paper. */
export function Report({ reading, picture, card }: Props) {
  const speech = useSpeech();
  const { t, percent, age, date } = speech;
  const verdicts: Record<string, string> = { agree: t.form.agree, disagree: t.form.disagree, unsure: t.form.unsure };
  return (
    <article class="report">
      <h1>{t.report.title}</h1>
      <dl>
        <dt>{t.report.patient}</dt>
        <dd>
          <bdi>{reading.patient || '—'}</bdi>
        </dd>
        <dt>{t.form.age}</dt>
        <dd>{reading.age === null ? '—' : age(reading.age)}</dd>
        <dt>{t.report.date}</dt>
        <dd>{date(reading.readAt)}</dd>
      </dl>
      <div class={`reading ${reading.status}`}>
        <StatusIcon status={reading.status} />
        <h2>{statusOf(reading, speech)}</h2>
        <p>{sentence(reading, speech, card)}</p>
        <Warnings reading={reading} card={card} />
      </div>
      <Disclaimer card={card} />
      {picture && (
        <div class="pictures">
          <figure>
            <img src={picture.picture} alt={t.viewer.film} />
            <figcaption>{t.report.film}</figcaption>
          </figure>
          {reading.status !== 'refused' && (
            <figure>
              <Overlay picture={picture} fullColour={card.heatmapReference} label={t.report.map} />
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
          {pointName(reading.operatingPoint, speech)} ({percent(reading.suspectedFrom)})
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
  );
}

function Overlay({ picture, fullColour, label }: { picture: KeptFilm; fullColour: number; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const image = new Image();
    image.onload = () => {
      const target = canvas.current!;
      const context = target.getContext('2d')!;
      target.width = image.naturalWidth;
      target.height = image.naturalHeight;
      context.drawImage(image, 0, 0);
      const heatmap = heatmapPicture(picture.heatmap, picture.heatmapSize[0], picture.heatmapSize[1], fullColour);
      const layer = new OffscreenCanvas(heatmap.width, heatmap.height);
      layer.getContext('2d')!.putImageData(heatmap, 0, 0);
      context.drawImage(layer, 0, 0, target.width, target.height);
    };
    image.src = picture.picture;
  }, [picture]);
  return (
    <div class="overlay">
      <canvas ref={canvas} role="img" aria-label={label} />
      <Lungs lungs={picture.lungs} />
    </div>
  );
}
