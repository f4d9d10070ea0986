import { useEffect, useRef, useState } from 'preact/hooks';
import { DiagnosisField, NoteField, VerdictChoices } from '../components/verdict_fields';
import { Notice } from '../components/notice';
import type { Agreement, Film, Refused, Verdict } from './api';
import { useDesk, useServer } from './desk';
import { Fault } from './fault';
import { latin, useWords } from './words';

const AGREEMENTS: Agreement[] = ['agree', 'disagree', 'unsure'];

interface Draft {
  agreement: Agreement | null;
  note: string;
  diagnosis: '' | 'positive' | 'negative';
  words: string;
}

/** What was chosen and typed in this window and not signed. */
function unsigned(place: string): Draft | null {
  return JSON.parse(sessionStorage.getItem(place) ?? 'null');
}

interface Props {
  film: Film;
  /** Called with what was signed, or without where the film was read again meanwhile. */
  signed: (verdict?: Verdict) => void;
  /** One key or one click signs. */
  quick?: boolean;
}

/** What people said of a film, and the place to sign. */
export function VerdictPanel({ film, signed, quick = false }: Props) {
  const { w, t, number } = useWords();
  const { session } = useDesk();
  const server = useServer();
  const mine = film.history.filter((verdict) => verdict.user === session.user).at(-1);
  const signedBefore: Draft = {
    agreement: mine?.agreement ?? null,
    note: mine?.note ?? '',
    diagnosis: mine?.diagnosis ?? '',
    words: mine?.diagnosis_words ?? '',
  };
  const place = `draft.${session.user}.${film.id}.${film.reading!.id}`;
  const [draft, setDraft] = useState<Draft>(() => unsigned(place) ?? signedBefore);
  const { agreement, note, diagnosis, words } = draft;
  const write = (changed: Partial<Draft>) => {
    const next = { ...draft, ...changed };
    setDraft(next);
    // Back, refresh and a closed lid lose nothing; it goes with the window, or when somebody logs out.
    sessionStorage.setItem(place, JSON.stringify(next));
  };
  const [fault, setFault] = useState<Refused | null>(null);
  const [kept, setKept] = useState<Verdict | null>(null);
  const [missing, setMissing] = useState(false);
  const busy = useRef(false);

  const sign = (agreement = draft.agreement) => {
    setMissing(agreement === null);
    if (agreement === null || busy.current) return;
    busy.current = true;
    setFault(null);
    server
      .call<Verdict>('POST', `/api/films/${film.id}/verdicts`, {
        reading: film.reading!.id,
        agreement,
        note,
        diagnosis,
        diagnosis_words: words,
      })
      .then(
        (verdict) => {
          sessionStorage.removeItem(place);
          setDraft({ ...draft, agreement });
          setKept(verdict);
          signed(verdict);
        },
        (refused: Refused) => (setFault(refused), refused.code === 'read_anew' && signed()),
      )
      .finally(() => {
        busy.current = false;
      });
  };
  useEffect(() => {
    if (!quick) return;
    const pressed = (event: KeyboardEvent) => {
      const typing = /INPUT|TEXTAREA|SELECT/.test((event.target as HTMLElement).tagName);
      const at = ['1', '2', '3'].indexOf(latin(event.key));
      if (at >= 0 && !typing && !event.ctrlKey && !event.altKey && !event.metaKey && !event.repeat)
        sign(AGREEMENTS[at]);
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  });

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
          {quick ? (
            <div class="quick">
              {AGREEMENTS.map((one, at) => (
                <button type="button" key={one} class="big" onClick={() => sign(one)}>
                  <kbd>{number(at + 1)}</kbd> {t.form[one]}
                </button>
              ))}
            </div>
          ) : (
            <VerdictChoices chosen={agreement} choose={(chosen) => (write({ agreement: chosen }), setKept(null))} />
          )}
          <NoteField note={note} change={(typed) => write({ note: typed })} />
          <DiagnosisField chosen={diagnosis || null} choose={(chosen) => write({ diagnosis: chosen ?? '' })} />
          {diagnosis && (
            <label class="field">
              <span>{w.verdict.diagnosisWords}</span>
              <input
                dir="auto"
                maxLength={200}
                value={words}
                onInput={(e) => write({ words: e.currentTarget.value })}
              />
            </label>
          )}
          {missing && <Notice kind="warning">{w.verdict.choose}</Notice>}
          <Fault fault={fault} />
          {!quick && <button class="primary">{mine ? w.verdict.amend : w.verdict.sign}</button>}
          <p class="small" role="status">
            {kept ? w.verdict.signed(kept.by) : `${w.verdict.hint} ${quick ? w.verdict.quick : w.verdict.keys}`}
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
