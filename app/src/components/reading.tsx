import { useSpeech } from '../i18n';
import { reasonOf, sentence, statusOf, warningsOf } from '../i18n/sentences';
import type { Card } from '../contract/card';
import type { Reading } from '../worklist/reading';
import { StatusIcon } from './status';

interface Props {
  reading: Reading;
  /** Null while the reader is not open: then the reader's own words are missing. */
  card: Card | null;
  /** What to do instead of what the first reason advises. */
  advice?: string;
}

/** Whether the reader could read the film. */
export const wasRead = ({ status }: Reading): boolean => status !== 'refused' && status !== 'failed';

/** The status of a film, its probability, what to mind, and the reasons: the first is the surest one. */
export function ReadingSummary({ reading, card, advice }: Props) {
  const speech = useSpeech();
  const { t } = speech;
  const [first, ...others] = reading.codes
    .filter((code) => code !== 'abstained')
    .map((code) => ({ code, ...reasonOf(code, speech, card) }));
  return (
    <section class={`reading ${reading.status}`} aria-live="polite">
      <StatusIcon status={reading.status} />
      <h1>{statusOf(reading, speech)}</h1>
      {wasRead(reading) && reading.probability !== null && <Gauge reading={reading} card={card} />}
      <p>{sentence(reading, speech, card)}</p>
      {first && (
        <p class="reason">
          <strong>{first.reason}</strong> {advice ?? first.advice}
        </p>
      )}
      <Warnings reading={reading} card={card} />
      {others.length > 0 && (
        <details>
          <summary>{t.alsoSaid}</summary>
          <ul>
            {others.map(({ code, reason }) => (
              <li key={code}>{reason}</li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

/** What a person should know of this film before trusting its reading. */
export function Warnings({ reading, card }: Omit<Props, 'advice'>) {
  const speech = useSpeech();
  return (
    <>
      {warningsOf(reading, speech, card).map((text) => (
        <p key={text} class="warned">
          <strong>{speech.t.warningsTitle}:</strong> {text}
        </p>
      ))}
    </>
  );
}

/** The probability between the two cut-offs on one line; the numbers stand in the sentence too. */
function Gauge({ reading, card }: Omit<Props, 'advice'>) {
  const { t, percent } = useSpeech();
  const probability = reading.probability!;
  const point = card?.operatingPoints[reading.operatingPoint];
  const limits = [
    ...new Set(point ? [point.not_seen_below, point.suspected_from] : [reading.notSeenBelow, reading.suspectedFrom]),
  ];
  return (
    <div class="gauge">
      <span class="number">{percent(probability, reading.suspectedFrom)}</span>
      <div
        class="track"
        role="img"
        aria-label={`${t.probability}: ${percent(probability)}. ${t.limit}: ${limits.map((limit) => percent(limit)).join(' – ')}`}
      >
        <span class="fill" style={{ inlineSize: `${probability * 100}%` }} />
        {limits.map((limit) => (
          <span key={limit} class="mark" style={{ insetInlineStart: `${limit * 100}%` }} />
        ))}
      </div>
    </div>
  );
}
