import { useEffect, useRef, useState } from 'preact/hooks';
import { Disclaimer, Notice } from '../../components/notice';
import { StatusIcon } from '../../components/status';
import { STATUSES } from '../../contract/names';
import type { Page, Row } from '../api';
import { useDesk, useServer } from '../desk';
import { Fault } from '../fault';
import { IdentityStrip, usePerson } from '../identity';
import { useAnswer, useLive } from '../live';
import { AtOnce, since } from '../shown';
import { useWords } from '../words';
import { Said } from './film';

const VIEWS = ['open', 'disputed', 'done', 'aside', 'all'];
/** Hours at which a shift begins. */
const SHIFTS = [7, 19];

/** What was chosen stays while one looks at a film and comes back. */
const chosen = { view: 'open', status: '', search: '', when: '', day: '', page: 0 };

/** The last beginning of a shift. */
function shiftStart(now = new Date()): Date {
  const start = new Date(now);
  const hour = SHIFTS.filter((begins) => begins <= now.getHours()).at(-1);
  if (hour === undefined) start.setDate(start.getDate() - 1);
  start.setHours(hour ?? SHIFTS[SHIFTS.length - 1], 0, 0, 0);
  return start;
}

/** From when to when films arrived, for a choice of time. */
function span(when: string, day: string): { since?: string; until?: string } {
  if (when === 'shift') return { since: shiftStart().toISOString() };
  if (when !== 'day' && when !== 'today') return {};
  const from = when === 'today' ? new Date(new Date().setHours(0, 0, 0, 0)) : new Date(`${day}T00:00`);
  if (Number.isNaN(from.getTime())) return {};
  const until = new Date(from);
  until.setDate(until.getDate() + 1);
  return { since: from.toISOString(), until: until.toISOString() };
}

export function WorklistScreen() {
  const { w, t, number, language } = useWords();
  const { card } = useDesk();
  const server = useServer();
  const [choice, setChoice] = useState({ ...chosen });
  const list = useRef<HTMLUListElement>(null);
  const { view, status, search, when, day, page } = choice;
  const shift = shiftStart();
  const { answer, fault, again } = useAnswer<Page>(
    () =>
      server.call('POST', '/api/worklist', {
        ...{ view, status, search, page, shift: shift.toISOString() },
        ...span(when, day),
      }),
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
  const hour = shift.toLocaleTimeString(language === 'ar' ? 'ar-u-nu-arab' : 'en-GB', { timeStyle: 'short' });

  return (
    <>
      <div class="row wide">
        <h1>{w.worklist.title}</h1>
        {answer && (
          <span class={answer.shift.at_once ? 'shift urgent' : 'shift'} role="status">
            {w.worklist.shift(
              hour,
              number(answer.shift.unread),
              number(answer.shift.disputed),
              number(answer.shift.at_once),
            )}
          </span>
        )}
        <a class="button primary" href="#/triage">
          {w.triage.begin}
        </a>
      </div>
      {!connected && <Notice kind="warning">{w.stale}</Notice>}
      {answer !== null && answer.contradictions > 0 && (
        <Notice kind="warning">
          {w.identities.open(number(answer.contradictions))} <a href="#/identities">{w.identities.decide}</a>
        </Notice>
      )}
      <div class="filters">
        <div class="tabs" role="group" aria-label={w.worklist.title}>
          {VIEWS.map((one) => (
            <button key={one} aria-pressed={view === one} onClick={() => choose({ view: one })}>
              {w.worklist.views[one]} {answer && <span class="count">{number(answer.views[one] ?? 0)}</span>}
            </button>
          ))}
        </div>
        <label class="field">
          <span>{w.worklist.status}</span>
          <select value={status} onChange={(event) => choose({ status: event.currentTarget.value })}>
            <option value="">{w.worklist.any}</option>
            {['waiting', ...STATUSES].map((one) => (
              <option key={one} value={one}>
                {one === 'waiting' ? w.worklist.waiting : t.status[one as keyof typeof t.status]}
                {answer?.statuses[one] ? ` (${number(answer.statuses[one])})` : ''}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>{w.worklist.arrived}</span>
          <select value={when} onChange={(event) => choose({ when: event.currentTarget.value })}>
            {Object.entries(w.worklist.whens).map(([one, words]) => (
              <option key={one} value={one}>
                {words}
              </option>
            ))}
          </select>
        </label>
        {when === 'day' && (
          <label class="field">
            <span>{w.worklist.day}</span>
            <input type="date" value={day} onInput={(event) => choose({ day: event.currentTarget.value })} />
          </label>
        )}
        <label class="field grow">
          <span>{w.worklist.search}</span>
          <input
            type="search"
            dir="auto"
            maxLength={100}
            value={search}
            onInput={(event) => choose({ search: event.currentTarget.value })}
          />
        </label>
      </div>
      <Fault fault={fault} again={again} />
      {view === 'aside' && <p class="small">{w.worklist.asideHint}</p>}
      {!answer && !fault && <p role="status">{t.loading}</p>}
      {answer && (
        <>
          {answer.rows.length === 0 && (
            <p class="large" role="status">
              {search || status || when ? w.worklist.none : w.worklist.nothing}
            </p>
          )}
          {answer.rows.length > 0 && <p class="small wide-only">{w.worklist.keys}</p>}
          <ul ref={list} class="list clinic-list" onKeyDown={move}>
            {answer.rows.map((row) => (
              <WorklistRow key={row.id} row={row} />
            ))}
          </ul>
          {answer.pages > 1 && (
            <div class="row pages">
              <button disabled={page === 0} onClick={() => choose({ page: page - 1 })}>
                {w.worklist.before}
              </button>
              <span>{w.worklist.page(number(page + 1), number(answer.pages))}</span>
              <button disabled={page + 1 >= answer.pages} onClick={() => choose({ page: page + 1 })}>
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
  const { w, language } = useWords();
  const { session } = useDesk();
  const others = row.looking.filter((name) => name !== session.name);
  return (
    <li class={row.status === 'waiting' ? 'refused' : row.status}>
      <a href={`#/film/${row.id}`}>
        <Thumbnail row={row} />
        <span class="what">
          <span class="said">
            {row.status === 'waiting' ? (
              <span class="icon hourglass" aria-hidden="true" />
            ) : (
              <StatusIcon status={row.status} />
            )}
            <Said row={row} />
          </span>
          <AtOnce row={row} />
          <IdentityStrip row={row} />
        </span>
        <span class="when">
          <span>{w.worklist.waits(since(row.arrived_at, language))}</span>
          <small>{w.worklist.origins[row.origin]}</small>
        </span>
        <span class="marks">
          {row.identity === 'contradicted' && <span class="mark-split">{w.identities.kinds.number}</span>}
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

/** The film, small; an empty place where it cannot be shown. */
export function Thumbnail({ row }: { row: Row }) {
  const person = usePerson();
  const shown = row.available && row.status !== 'failed';
  return (
    <span class="thumbnail">
      {shown && <img src={`/api/films/${row.id}/thumbnail`} alt="" loading="lazy" title={person(row).who} />}
    </span>
  );
}
