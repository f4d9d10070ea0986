import { useEffect, useRef, useState } from 'preact/hooks';
import { Disclaimer, Notice } from '../../components/notice';
import { StatusIcon } from '../../components/status';
import { STATUSES } from '../../contract/names';
import { call, type Page, type Row } from '../api';
import { useDesk } from '../clinic';
import { Fault } from '../fault';
import { useAnswer, useLive } from '../live';
import { since } from '../shown';
import { useWords } from '../words';

const VIEWS = ['open', 'second', 'done', 'aside', 'all'];

/** What was chosen stays while one looks at a film and comes back. */
const chosen = { view: 'open', status: '', search: '', page: 0 };

export function WorklistScreen() {
  const { w, t, number } = useWords();
  const { card } = useDesk();
  const [choice, setChoice] = useState({ ...chosen });
  const list = useRef<HTMLUListElement>(null);
  const { answer, fault, again } = useAnswer<Page>(
    () => call('POST', '/api/worklist', choice),
    [JSON.stringify(choice)],
  );
  const connected = useLive(again);
  const [, tick] = useState(0);
  useEffect(() => {
    const clock = setInterval(() => tick((count) => count + 1), 60_000);
    return () => clearInterval(clock);
  }, []);
  const choose = (changed: Partial<typeof chosen>) => {
    Object.assign(chosen, { page: 0 }, changed);
    setChoice({ ...chosen });
  };

  const move = (event: KeyboardEvent) => {
    const links = [...list.current!.querySelectorAll('a')];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (to === undefined || !links[to]) return;
    event.preventDefault();
    links[to].focus();
  };

  return (
    <>
      <h1>{w.worklist.title}</h1>
      {!connected && <Notice kind="warning">{w.stale}</Notice>}
      <div class="filters">
        <div class="tabs" role="group" aria-label={w.worklist.title}>
          {VIEWS.map((view) => (
            <button key={view} aria-pressed={choice.view === view} onClick={() => choose({ view })}>
              {w.worklist.views[view]} {answer && <span class="count">{number(answer.views[view] ?? 0)}</span>}
            </button>
          ))}
        </div>
        <label class="field">
          <span>{w.worklist.status}</span>
          <select value={choice.status} onChange={(event) => choose({ status: event.currentTarget.value })}>
            <option value="">{w.worklist.any}</option>
            {['waiting', ...STATUSES].map((status) => (
              <option key={status} value={status}>
                {status === 'waiting' ? w.worklist.waiting : t.status[status as keyof typeof t.status]}
                {answer?.statuses[status] ? ` (${number(answer.statuses[status])})` : ''}
              </option>
            ))}
          </select>
        </label>
        <label class="field grow">
          <span>{w.worklist.search}</span>
          <input
            type="search"
            dir="auto"
            maxLength={100}
            value={choice.search}
            onInput={(event) => choose({ search: event.currentTarget.value })}
          />
        </label>
      </div>
      <Fault fault={fault} again={again} />
      {choice.view === 'aside' && <p class="small">{w.worklist.asideHint}</p>}
      {!answer && !fault && <p role="status">{t.loading}</p>}
      {answer && (
        <>
          {answer.rows.length === 0 && (
            <p class="large" role="status">
              {choice.search || choice.status ? w.worklist.none : w.worklist.nothing}
            </p>
          )}
          {answer.rows.length > 0 && <p class="small">{w.worklist.keys}</p>}
          <ul ref={list} class="list clinic-list" onKeyDown={move}>
            {answer.rows.map((row) => (
              <WorklistRow key={row.id} row={row} />
            ))}
          </ul>
          {answer.pages > 1 && (
            <div class="row pages">
              <button disabled={choice.page === 0} onClick={() => choose({ page: choice.page - 1 })}>
                {w.worklist.before}
              </button>
              <span>{w.worklist.page(number(choice.page + 1), number(answer.pages))}</span>
              <button disabled={choice.page + 1 >= answer.pages} onClick={() => choose({ page: choice.page + 1 })}>
                {w.worklist.after}
              </button>
            </div>
          )}
        </>
      )}
      <Disclaimer card={card} />
    </>
  );
}

function WorklistRow({ row }: { row: Row }) {
  const { w, t, percent, language } = useWords();
  const { session } = useDesk();
  const read = row.status !== 'waiting' && row.status !== 'refused' && row.status !== 'failed';
  const others = row.looking.filter((name) => name !== session.name);
  return (
    <li class={row.status === 'waiting' ? 'refused' : row.status}>
      <a href={`#/film/${row.id}`}>
        {row.status === 'waiting' ? (
          <span class="icon hourglass" aria-hidden="true" />
        ) : (
          <StatusIcon status={row.status} />
        )}
        <span class="what">
          <strong>
            {row.status === 'waiting' ? w.worklist.waiting : t.status[row.status]}
            {read && row.probability !== null && ` · ${percent(row.probability)}`}
          </strong>
          <span>
            <bdi>{row.patient || w.worklist.noPatient}</bdi>
            {row.age_years !== null && <> · {useAge()(row.age_years)}</>}
          </span>
        </span>
        <span class="when">
          <span>{w.worklist.waits(since(row.arrived_at, language))}</span>
          <small>{w.worklist.origins[row.origin]}</small>
        </span>
        <span class="marks">
          {row.review === 'split' && <span class="mark-split">{w.worklist.split}</span>}
          {row.review === 'unsure' && <span>{w.worklist.unsure}</span>}
          {row.conflict && <span>{w.worklist.conflict}</span>}
          {row.verdicts.map(({ by, agreement }) => (
            <span key={by}>
              <bdi>{by}</bdi> {w.verdict.says[agreement]}
            </span>
          ))}
          {others.length > 0 && <span class="eye">{w.worklist.looking(others.join(', '))}</span>}
        </span>
      </a>
    </li>
  );
}

/** Below two years the age is given in months, as a clinician does. */
export function useAge(): (years: number) => string {
  const { w, number } = useWords();
  return (years) =>
    years < 2 ? w.worklist.months(number(Math.round(years * 12))) : w.worklist.age(number(Math.floor(years)));
}
