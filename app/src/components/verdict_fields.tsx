import { useSpeech } from '../i18n';
import type { ReferenceStandard, Verdict } from '../worklist/reading';

/** What a person says of an answer: one of three. */
export function VerdictChoices({ chosen, choose }: { chosen: Verdict | null; choose: (verdict: Verdict) => void }) {
  const { t } = useSpeech();
  const verdicts: [Verdict, string][] = [
    ['agree', t.form.agree],
    ['disagree', t.form.disagree],
    ['unsure', t.form.unsure],
  ];
  return (
    <fieldset>
      <legend>{t.form.verdict}</legend>
      <div class="choices">
        {verdicts.map(([verdict, said]) => (
          <label key={verdict}>
            <input type="radio" name="verdict" checked={chosen === verdict} onChange={() => choose(verdict)} />
            <span>{said}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export function NoteField({ note, change }: { note: string; change: (note: string) => void }) {
  const { t } = useSpeech();
  return (
    <label class="field">
      <span>{t.form.note}</span>
      <textarea
        rows={2}
        maxLength={500}
        dir="auto"
        value={note}
        onInput={(event) => change(event.currentTarget.value)}
      />
    </label>
  );
}

interface DiagnosisProps {
  chosen: ReferenceStandard | null;
  choose: (diagnosis: ReferenceStandard | null) => void;
}

/** What was found in the end, by whatever the clinic knows later. */
export function DiagnosisField({ chosen, choose }: DiagnosisProps) {
  const { t } = useSpeech();
  return (
    <label class="field">
      <span>{t.form.reference}</span>
      <select
        value={chosen ?? ''}
        onChange={(event) => choose((event.currentTarget.value || null) as ReferenceStandard | null)}
      >
        <option value="">{t.form.reference_unknown}</option>
        <option value="positive">{t.form.reference_positive}</option>
        <option value="negative">{t.form.reference_negative}</option>
      </select>
    </label>
  );
}
