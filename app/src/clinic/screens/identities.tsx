import { useState } from 'preact/hooks';
import { Notice } from '../../components/notice';
import type { Refused, Row } from '../api';
import { useDesk, useServer } from '../desk';
import { Fault } from '../fault';
import { IdentityStrip } from '../identity';
import { useAnswer, useLive } from '../live';
import { useWords } from '../words';

interface Contradiction {
  id: number;
  kind: string;
  found_at: string;
  /** The earlier one, and the one that came later. */
  films: [Row, Row];
}

/** Two people under one number: a clinician says who is who. */
export function IdentitiesScreen() {
  const { w, t, date } = useWords();
  const { session } = useDesk();
  const server = useServer();
  const { answer, fault, again } = useAnswer<Contradiction[]>(() => server.call('GET', '/api/identities'), []);
  const [refused, setRefused] = useState<Refused | null>(null);
  const [notes, setNotes] = useState<Record<number, string>>({});
  useLive(again);
  const decide = (one: Contradiction, decision: string) => {
    setRefused(null);
    server
      .call('POST', `/api/identities/${one.id}`, { decision, note: notes[one.id] ?? '' })
      .then(again, (error) => (setRefused(error), again()));
  };
  return (
    <>
      <h1>{w.identities.title}</h1>
      <p>{w.identities.hint}</p>
      <Fault fault={refused ?? fault} again={again} />
      {!answer && !fault && <p role="status">{t.loading}</p>}
      {answer?.length === 0 && <Notice kind="info">{w.identities.none}</Notice>}
      {answer?.map((one) => (
        <section key={one.id} class="form" aria-labelledby={`contradiction-${one.id}`}>
          <h2 id={`contradiction-${one.id}`}>{w.identities.kinds[one.kind] ?? one.kind}</h2>
          <p class="small">{date(Date.parse(one.found_at))}</p>
          <div class="films">
            {one.films.map((film, at) => (
              <figure key={film.id} class="shown">
                <figcaption>
                  <small>{at === 0 ? w.identities.earlier : w.identities.later}</small>
                  <IdentityStrip row={film} />
                </figcaption>
                <a href={`#/film/${film.id}`}>
                  <img src={`/api/films/${film.id}/thumbnail`} alt={t.viewer.film} width={160} height={160} />
                  <span>{w.upload.open}</span>
                </a>
              </figure>
            ))}
          </div>
          {session.role === 'viewer' ? (
            <p>{w.verdict.viewer}</p>
          ) : (
            <>
              <label class="field">
                <span>{w.naming.why}</span>
                <input
                  dir="auto"
                  maxLength={500}
                  value={notes[one.id] ?? ''}
                  onInput={(e) => setNotes({ ...notes, [one.id]: e.currentTarget.value })}
                />
              </label>
              <div class="row">
                <button onClick={() => decide(one, 'apart')}>{w.identities.apart}</button>
                <button onClick={() => decide(one, 'merge')}>{w.identities.merge}</button>
                <button onClick={() => decide(one, 'merge_into_later')}>{w.identities.mergeLater}</button>
              </div>
              <p class="small">{w.identities.signed}</p>
            </>
          )}
        </section>
      ))}
    </>
  );
}
