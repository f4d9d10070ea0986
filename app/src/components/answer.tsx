import { useSpeech } from '../i18n';
import { reasonOf, sentence, warningOf } from '../i18n/sentences';
import type { Card } from '../contract/card';
import type { Reading } from '../worklist/reading';
import { Notice } from './notice';
import { StatusIcon } from './status';

interface Props {
  reading: Reading;
  /** Null while the reader is not open: then the reader's own words are missing. */
  card: Card | null;
}

/** Whether the reader gave an answer for the film. */
export const answered = ({ status }: Reading): boolean => status !== 'refused' && status !== 'failed';

/** The status of a film, its probability, the reasons. */
export function Answer({ reading, card }: Props) {
  const speech = useSpeech();
  const { t } = speech;
  const read = answered(reading);
  return (
    <section class={`answer ${reading.status}`} aria-live="polite">
      <StatusIcon status={reading.status} />
      <h1>{t.status[reading.status]}</h1>
      {read && reading.probability !== null && <Gauge reading={reading} card={card} />}
      <p>{sentence(reading, speech, card)}</p>
      {!read &&
        reading.codes.map((code) => {
          const { reason, advice } = reasonOf(code, speech, card);
          return (
            <p key={code} class="reason">
              <strong>{reason}</strong> {advice && <span>{advice}</span>}
            </p>
          );
        })}
    </section>
  );
}

/** What a person should know of this film before trusting its answer. */
export function Warnings({ reading, card }: Props) {
  const speech = useSpeech();
  return (
    <>
      {reading.warnings.map((code) => (
        <Notice key={code} kind="warning">
          {warningOf(code, speech, card)}
        </Notice>
      ))}
    </>
  );
}

/** The probability and the limit, or the band where it is uncertain, on one line; the numbers stand in the sentence too. */
function Gauge({ reading, card }: Props) {
  const { t, percent } = useSpeech();
  const probability = reading.probability!;
  const band = reading.status === 'uncertain' ? card?.abstention : null;
  const limits = band ? [band.lower, band.upper] : [reading.threshold];
  return (
    <div class="gauge">
      <span class="number">{percent(probability, reading.threshold)}</span>
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
