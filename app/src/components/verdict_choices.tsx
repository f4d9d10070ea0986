import { useSpeech } from '../i18n';
import type { Verdict } from '../worklist/reading';

interface Props {
  chosen: Verdict | null;
  choose: (verdict: Verdict) => void;
}

/** What a person says of an answer: one of three. */
export function VerdictChoices({ chosen, choose }: Props) {
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
