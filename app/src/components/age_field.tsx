import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { useSpeech } from '../i18n';
import { parseNumber } from '../i18n/numbers';

const OLDEST = 120;
const MONTHS = 12;

interface Props {
  /** Years. */
  age: number | null;
  change: (age: number | null) => void;
}

/** An age in years or months. What is typed stays as it is typed, and is understood when the field is left. */
export function AgeField({ age, change }: Props) {
  const { t, number } = useSpeech();
  const hint = useId();
  const [inMonths, setInMonths] = useState(age !== null && age < 2 && age % 1 !== 0);
  const [text, setText] = useState(() => (age === null ? '' : number(inMonths ? age * MONTHS : age, 1)));
  const [wrong, setWrong] = useState(false);
  const commit = (months = inMonths) => {
    const typed = parseNumber(text);
    const years = typed === null ? null : typed / (months ? MONTHS : 1);
    const known = years !== null && years <= OLDEST;
    setWrong(!known && text.trim() !== '');
    const next = known ? years : null;
    if (next !== age) change(next);
  };
  // A screen may go while the field is being written in.
  const latest = useRef(commit);
  latest.current = commit;
  const dirty = useRef(false);
  useEffect(() => () => void (dirty.current && latest.current()), []);
  return (
    <div class="field">
      <label for={`${hint}-age`}>{t.form.age}</label>
      <div class="row">
        <input
          id={`${hint}-age`}
          type="text"
          inputMode="decimal"
          autocomplete="off"
          maxLength={8}
          value={text}
          aria-invalid={wrong}
          aria-describedby={wrong ? hint : undefined}
          onInput={(event) => {
            dirty.current = true;
            setText(event.currentTarget.value);
          }}
          onBlur={() => {
            dirty.current = false;
            commit();
          }}
        />
        <select
          aria-label={t.form.ageUnit}
          value={inMonths ? 'months' : 'years'}
          onChange={(event) => {
            const months = event.currentTarget.value === 'months';
            setInMonths(months);
            commit(months);
          }}
        >
          <option value="years">{t.form.years}</option>
          <option value="months">{t.form.months}</option>
        </select>
      </div>
      {wrong && (
        <p id={hint} class="wrong" role="alert">
          {t.form.ageWrong}
        </p>
      )}
    </div>
  );
}
