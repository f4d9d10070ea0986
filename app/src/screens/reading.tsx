import { useRef, useState } from 'preact/hooks';
import { rejudged } from '../assistant';
import { go, useRoom } from '../context';
import { inverted, turned } from '../film/film';
import { useSpeech } from '../i18n';
import { type Card, outsidePopulation } from '../contract/card';
import type { Reading, Reference, Verdict } from '../worklist/reading';
import { Disclaimer, Notice, notKept, pointName, reasonOf, sentence, StatusIcon, useCase, warningOf } from './parts';
import { Unlock } from './pin';
import { Viewer } from './viewer';

export function ReadingScreen({ id }: { id: string }) {
  const speech = useSpeech();
  const { t, number, percent } = speech;
  const room = useRoom();
  const { worklist, engine, show } = room;
  const shown = useCase(id);
  if (!shown) return worklist?.locked ? <Unlock /> : <p role="status">{t.loading}</p>;
  const { reading, film, picture, kept } = shown;
  const card = engine.state === 'ready' ? engine.card : null;
  const read = reading.status !== 'refused' && reading.status !== 'failed';

  return (
    <>
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
      <Disclaimer />
      {reading.warnings.map((code) => (
        <Notice key={code} kind="warning">
          {warningOf(code, speech, card)}
        </Notice>
      ))}
      {kept !== 'kept' && <Notice kind="warning">{notKept(kept, speech)}</Notice>}
      {(film || picture) && card && (
        <Viewer shown={shown} reference={card.heatmapReference}>
          {film && (
            <div class="row">
              <button onClick={() => void room.readFilm(turned(film))}>{t.viewer.turn}</button>
              <button onClick={() => void room.readFilm(inverted(film))}>{t.viewer.invert}</button>
              <button onClick={() => room.straightenFilm(film)}>{t.viewer.straighten}</button>
            </div>
          )}
        </Viewer>
      )}
      {reading.status === 'refused' && film && (
        <div class="row">
          {reading.codes.includes('negative') && (
            <button onClick={() => void room.readFilm(inverted(film))}>{t.viewer.invert}</button>
          )}
          <button onClick={() => void room.readFilm(turned(film))}>{t.viewer.turn}</button>
          <button onClick={() => room.straightenFilm(film)}>{t.viewer.straighten}</button>
        </div>
      )}
      <button class="big primary" onClick={() => go('/')}>
        {t.home.next}
      </button>
      {read && card && (
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
                {pointName(name, speech)} ({percent(card.operatingPoints[name].threshold)})
              </option>
            ))}
          </select>
        </label>
      )}
      {kept === 'kept' && (
        <Form
          key={`${id} ${reading.operatingPoint}`}
          reading={reading}
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

/** The probability and the limit, or the band where it is uncertain, on one line; the numbers stand in the sentence too. */
function Gauge({ reading, card }: { reading: Reading; card: Card | null }) {
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

function Form({ reading, save }: { reading: Reading; save: (changed: Reading) => Promise<void> }) {
  const { t, number } = useSpeech();
  const { engine } = useRoom();
  const [saved, setSaved] = useState(false);
  const [failed, setFailed] = useState(false);
  const ages = engine.state === 'ready' ? engine.card.ageYears : null;
  // Two fields may change before the screen is drawn anew.
  const draft = useRef(reading);
  const change = (changed: Partial<Reading>) => {
    setSaved(false);
    draft.current = { ...draft.current, ...changed };
    save(draft.current).then(
      () => (setSaved(true), setFailed(false)),
      () => setFailed(true),
    );
  };
  const outside =
    engine.state === 'ready' &&
    !reading.warnings.includes('age_outside') &&
    outsidePopulation(engine.card, reading.age);
  const verdicts: [Verdict, string][] = [
    ['agree', t.form.agree],
    ['disagree', t.form.disagree],
    ['unsure', t.form.unsure],
  ];
  return (
    <section class="form" aria-labelledby="form-title">
      <h2 id="form-title">{t.form.title}</h2>
      {reading.status !== 'failed' && (
        <fieldset>
          <legend>{t.form.verdict}</legend>
          <div class="choices">
            {verdicts.map(([verdict, said]) => (
              <label key={verdict}>
                <input
                  type="radio"
                  name="verdict"
                  checked={reading.verdict === verdict}
                  onChange={() => change({ verdict })}
                />
                <span>{said}</span>
              </label>
            ))}
          </div>
        </fieldset>
      )}
      <label class="field">
        <span>
          {t.form.patient} <small>{t.form.patientHint}</small>
        </span>
        <input
          type="text"
          autocomplete="off"
          maxLength={40}
          value={reading.patient}
          onInput={(event) => change({ patient: event.currentTarget.value })}
        />
      </label>
      <label class="field">
        <span>{t.form.age}</span>
        <input
          type="number"
          inputMode="decimal"
          min="0"
          max="120"
          step="any"
          value={reading.age ?? ''}
          onInput={(event) => {
            const age = event.currentTarget.valueAsNumber;
            change({ age: age >= 0 && age <= 120 ? age : null });
          }}
        />
      </label>
      {outside && ages && <Notice kind="warning">{t.form.ageWarning(number(ages[0]), number(ages[1]))}</Notice>}
      <label class="field">
        <span>{t.form.note}</span>
        <textarea
          rows={2}
          maxLength={500}
          value={reading.note}
          onInput={(event) => change({ note: event.currentTarget.value })}
        />
      </label>
      <label class="field">
        <span>{t.form.reference}</span>
        <select
          value={reading.reference ?? ''}
          onChange={(event) => change({ reference: (event.currentTarget.value || null) as Reference | null })}
        >
          <option value="">{t.form.reference_unknown}</option>
          <option value="positive">{t.form.reference_positive}</option>
          <option value="negative">{t.form.reference_negative}</option>
        </select>
      </label>
      <p role="status" class="small">
        {failed ? t.worklist.storageFull : saved ? t.form.saved : ''}
      </p>
    </section>
  );
}
