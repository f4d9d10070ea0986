import { useRef, useState } from 'preact/hooks';
import { useSpeech } from '../i18n';
import type { Card } from '../contract/card';
import { type Reading, withAge } from '../worklist/reading';
import { AgeField } from './age_field';
import { DiagnosisField, NoteField, VerdictChoices } from './verdict_fields';

interface Props {
  reading: Reading;
  card: Card | null;
  save: (changed: Reading) => Promise<void>;
}

/** What the clinic adds to a reading: the verdict, a code, the age, a note, and what was found in the end. */
export function VerdictForm({ reading, card, save }: Props) {
  const { t } = useSpeech();
  const [saved, setSaved] = useState(false);
  const [failed, setFailed] = useState(false);
  // Two fields may change before the screen is drawn again.
  const draft = useRef(reading);
  const change = (changed: Partial<Reading>) => {
    setSaved(false);
    draft.current = { ...draft.current, ...changed };
    save(draft.current).then(
      () => (setSaved(true), setFailed(false)),
      () => setFailed(true),
    );
  };
  return (
    <section class="form" aria-labelledby="form-title">
      <h2 id="form-title">{t.form.title}</h2>
      {reading.status !== 'failed' && (
        <VerdictChoices chosen={reading.verdict} choose={(verdict) => change({ verdict })} />
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
      <AgeField age={reading.age} change={(age) => change(withAge(draft.current, card, age))} />
      <NoteField note={reading.note} change={(note) => change({ note })} />
      <DiagnosisField chosen={reading.reference} choose={(reference) => change({ reference })} />
      <p role="status" class="small">
        {failed ? t.worklist.storageFull : saved ? t.form.saved : ''}
      </p>
    </section>
  );
}
