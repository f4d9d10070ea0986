import { useState } from 'preact/hooks';
import { DiagnosisField, NoteField, VerdictChoices } from '../components/verdict_fields';
import { Notice } from '../components/notice';
import { type Agreement, call, type Film, type Refused, type Verdict } from './api';
import { useDesk } from './clinic';
import { Fault } from './fault';
import { useWords } from './words';

/** What people said of a film, and the place to sign. */
export function VerdictPanel({ film, signed }: { film: Film; signed: () => void }) {
  const { w } = useWords();
  const { session } = useDesk();
  const mine = film.history.filter((verdict) => verdict.user === session.user).at(-1);
  const [agreement, setAgreement] = useState<Agreement | null>(mine?.agreement ?? null);
  const [note, setNote] = useState(mine?.note ?? '');
  const [diagnosis, setDiagnosis] = useState(mine?.diagnosis ?? '');
  const [words, setWords] = useState(mine?.diagnosis_words ?? '');
  const [fault, setFault] = useState<Refused | null>(null);
  const [kept, setKept] = useState<Verdict | null>(null);
  const [missing, setMissing] = useState(false);

  const sign = () => {
    setMissing(agreement === null);
    if (agreement === null) return;
    setFault(null);
    call<Verdict>('POST', `/api/films/${film.id}/verdicts`, {
      reading: film.reading!.id,
      agreement,
      note,
      diagnosis,
      diagnosis_words: words,
    }).then(
      (verdict) => (setKept(verdict), signed()),
      (refused: Refused) => (setFault(refused), refused.code === 'read_anew' && signed()),
    );
  };

  return (
    <section class="form" aria-labelledby="verdict-title">
      <h2 id="verdict-title">{w.verdict.title}</h2>
      {session.role === 'viewer' ? (
        <p>{w.verdict.viewer}</p>
      ) : (
        <form
          onSubmit={(event) => (event.preventDefault(), sign())}
          onKeyDown={(event) => event.key === 'Enter' && event.ctrlKey && (event.preventDefault(), sign())}
        >
          <VerdictChoices chosen={agreement} choose={(chosen) => (setAgreement(chosen), setKept(null))} />
          <NoteField note={note} change={setNote} />
          <DiagnosisField chosen={diagnosis || null} choose={(chosen) => setDiagnosis(chosen ?? '')} />
          {diagnosis && (
            <label class="field">
              <span>{w.verdict.diagnosisWords}</span>
              <input dir="auto" maxLength={200} value={words} onInput={(e) => setWords(e.currentTarget.value)} />
            </label>
          )}
          {missing && <Notice kind="warning">{w.verdict.choose}</Notice>}
          <Fault fault={fault} />
          <button class="primary">{mine ? w.verdict.amend : w.verdict.sign}</button>
          <p class="small" role="status">
            {kept ? w.verdict.signed(kept.by) : `${w.verdict.hint} ${w.verdict.keys}`}
          </p>
        </form>
      )}
      <History film={film} />
    </section>
  );
}

function History({ film }: { film: Film }) {
  const { w, t, date } = useWords();
  const amended = new Set(film.history.map((verdict) => verdict.amends));
  const diagnoses: Record<string, string> = {
    positive: t.form.reference_positive,
    negative: t.form.reference_negative,
  };
  return (
    <>
      <h3>{w.verdict.history}</h3>
      {film.history.length === 0 && <p class="small">{w.verdict.nobody}</p>}
      <ol class="plain history">
        {film.history.map((verdict) => (
          <li key={verdict.id} class={amended.has(verdict.id) ? 'amended' : ''}>
            <strong>
              <bdi>{verdict.by}</bdi> {w.verdict.says[verdict.agreement]}
            </strong>
            {verdict.diagnosis && <span> · {diagnoses[verdict.diagnosis]}</span>}
            {verdict.diagnosis_words && (
              <span>
                {' '}
                · <bdi>{verdict.diagnosis_words}</bdi>
              </span>
            )}
            {verdict.note && <p dir="auto">{verdict.note}</p>}
            <small>
              {date(Date.parse(verdict.signed_at))}
              {amended.has(verdict.id) && ` · ${w.verdict.amended}`}
            </small>
          </li>
        ))}
      </ol>
    </>
  );
}
