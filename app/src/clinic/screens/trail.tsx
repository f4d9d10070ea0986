import { useState } from 'preact/hooks';
import { Notice } from '../../components/notice';
import type { Refused } from '../api';
import { useServer } from '../desk';
import { Fault } from '../fault';
import { useAnswer } from '../live';
import { useWords } from '../words';

interface TrailRow {
  id: number;
  at: string;
  at_local: string;
  actor: string;
  act: string;
  subject: string;
  detail: Record<string, unknown>;
  hash: string;
}

interface Trail {
  rows: TrailRow[];
  acts: string[];
  count: number;
}

export function TrailScreen() {
  const { w, t, number, date } = useWords();
  const server = useServer();
  const [filter, setFilter] = useState({ actor: '', act: '', subject: '' });
  const [older, setOlder] = useState<TrailRow[]>([]);
  const [whole, setWhole] = useState<{ rows: number; last: string } | null>(null);
  const [refused, setRefused] = useState<Refused | null>(null);
  const { answer, fault, again } = useAnswer<Trail>(
    () => server.call('POST', '/api/trail', filter),
    [JSON.stringify(filter)],
  );
  const rows = [...(answer?.rows ?? []), ...older];
  return (
    <>
      <h1>{w.trail.title}</h1>
      <p>{w.trail.hint}</p>
      <div class="row">
        <button
          onClick={() => {
            setRefused(null);
            setWhole(null);
            server.call<{ rows: number; last: string }>('POST', '/api/trail/verify').then(setWhole, setRefused);
          }}
        >
          {w.trail.verify}
        </button>
      </div>
      <Fault fault={refused ?? fault} />
      {whole && (
        <Notice kind="info">
          <span class="breaks">{w.trail.whole(number(whole.rows), whole.last)}</span>
        </Notice>
      )}
      <form
        class="filters"
        onSubmit={(event) => {
          event.preventDefault();
          const given = new FormData(event.currentTarget);
          setOlder([]);
          setFilter({
            actor: String(given.get('actor')),
            act: String(given.get('act')),
            subject: String(given.get('subject')),
          });
        }}
      >
        <label class="field">
          <span>{w.trail.actor}</span>
          <input name="actor" dir="ltr" placeholder="user:amina" maxLength={60} />
        </label>
        <label class="field">
          <span>{w.trail.act}</span>
          <select name="act" dir="ltr">
            <option value="">{w.worklist.any}</option>
            {answer?.acts.map((act) => (
              <option key={act}>{act}</option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>{w.trail.subject}</span>
          <input name="subject" dir="ltr" placeholder="film:17" maxLength={60} />
        </label>
        <button>{w.trail.find}</button>
      </form>
      {!answer && !fault && <p role="status">{t.loading}</p>}
      {answer && <p class="small">{w.trail.count(number(answer.count))}</p>}
      <div class="scroll" tabIndex={0} role="region" aria-label={w.trail.title}>
        <table>
          <thead>
            <tr>
              {[w.trail.number, w.trail.when, w.trail.actor, w.trail.act, w.trail.subject, w.trail.detail].map(
                (head) => (
                  <th key={head} scope="col">
                    {head}
                  </th>
                ),
              )}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.id} title={row.hash} class={row.act === 'access.refused' ? 'attention' : ''}>
                <td>{number(row.id)}</td>
                <td>
                  {date(Date.parse(row.at_local))}
                  <small dir="ltr">
                    {row.at.slice(0, 19).replace('T', ' ')} {w.trail.utc}
                  </small>
                </td>
                <td dir="ltr">{row.actor}</td>
                <td dir="ltr">{row.act}</td>
                <td dir="ltr">{row.subject}</td>
                <td dir="ltr">
                  {Object.entries(row.detail)
                    .map(([key, value]) => `${key}: ${String(value)}`)
                    .join(', ')}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > 0 && rows[rows.length - 1].id > 1 && (
        <button
          onClick={() =>
            server
              .call<Trail>('POST', '/api/trail', { ...filter, before: rows[rows.length - 1].id })
              .then((found) => setOlder([...older, ...found.rows]), setRefused)
          }
        >
          {w.more}
        </button>
      )}
      <button class="quiet" onClick={() => (setOlder([]), again())}>
        {w.retry}
      </button>
    </>
  );
}
