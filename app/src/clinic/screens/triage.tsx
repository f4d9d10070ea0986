import { useEffect, useRef, useState } from 'preact/hooks';
import { Notice } from '../../components/notice';
import type { Page, Row } from '../api';
import { useServer } from '../desk';
import { Fault } from '../fault';
import { usePerson } from '../identity';
import { useAnswer, useLive } from '../live';
import { since } from '../shown';
import { useWords } from '../words';
import { FilmScreen } from './film';
import { Thumbnail } from './worklist';

/** One film after the other, the most urgent first: one key signs and shows the next. */
export function TriageScreen() {
  const { w, t, number, language } = useWords();
  const server = useServer();
  const person = usePerson();
  const { answer, fault, again } = useAnswer<Page>(() => server.call('POST', '/api/worklist', { view: 'open' }), []);
  useLive(again);
  // Once begun the order stays: what arrives is added at the end, and what was signed here is marked.
  const queue = useRef<Row[]>([]);
  const [signed, setSigned] = useState<Record<number, boolean>>({});
  const [last, setLast] = useState('');
  const [at, setAt] = useState<number | null>(null);
  for (const row of answer?.rows ?? []) {
    const known = queue.current.findIndex((one) => one.id === row.id);
    if (known >= 0) queue.current[known] = row;
    else if (row.status !== 'waiting') queue.current.push(row);
  }
  const rows = queue.current;
  const current = at ?? rows.find((row) => !signed[row.id])?.id ?? null;
  const here = useRef<HTMLButtonElement>(null);
  useEffect(() => here.current?.scrollIntoView({ block: 'nearest', inline: 'center' }), [current]);
  if (!answer) return fault ? <Fault fault={fault} again={again} /> : <p role="status">{t.loading}</p>;
  const left = rows.filter((row) => !signed[row.id]).length;
  return (
    <>
      <div class="row wide">
        <h1>{w.triage.title}</h1>
        <span role="status">
          {last} {w.triage.left(number(left))}
        </span>
        <a class="button" href="#/worklist">
          {w.nav.worklist}
        </a>
      </div>
      <ul class="queue" aria-label={w.triage.title}>
        {rows.map((row) => (
          <li key={row.id}>
            <button
              ref={row.id === current ? here : undefined}
              class={row.status}
              aria-current={row.id === current}
              onClick={() => setAt(row.id)}
            >
              <Thumbnail row={row} />
              <span>
                <bdi>{person(row).who}</bdi>
                <small>{signed[row.id] ? w.triage.done : since(row.arrived_at, language)}</small>
              </span>
            </button>
          </li>
        ))}
      </ul>
      {current === null ? (
        <Notice kind="info">{w.triage.none}</Notice>
      ) : (
        <FilmScreen
          key={current}
          id={current}
          signed={(film, verdict) => {
            const next = { ...signed, [film.id]: true };
            setSigned(next);
            setLast(w.triage.signed(`${person(film).who}: ${w.verdict.says[verdict.agreement]}.`));
            const after = rows.slice(rows.findIndex((row) => row.id === film.id) + 1);
            setAt((after.find((row) => !next[row.id]) ?? rows.find((row) => !next[row.id]))?.id ?? null);
          }}
        />
      )}
    </>
  );
}
