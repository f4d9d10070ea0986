import { useState } from 'preact/hooks';
import { Notice } from '../../components/notice';
import type { Refused } from '../api';
import { useDesk, useServer } from '../desk';
import { Fault } from '../fault';
import { useAnswer, useLive } from '../live';
import { since } from '../shown';
import { useWords } from '../words';

interface Outgoing {
  destinations: {
    name: string;
    active: boolean;
    reached_at: string | null;
    failed_at: string | null;
    error: string;
    next_try_at: string;
    counts: Record<string, number>;
  }[];
  waiting: {
    delivery: number;
    destination: string;
    film: number;
    kind: string;
    state: string;
    attempts: number;
    why: string;
    created_at: string;
    next_try_at: string | null;
  }[];
}

export function OutgoingScreen() {
  const { w, t, number, date, language } = useWords();
  const server = useServer();
  const { session } = useDesk();
  const { answer, fault, again } = useAnswer<Outgoing>(() => server.call('GET', '/api/deliveries'), []);
  useLive(again);
  const [done, setDone] = useState(false);
  const [refused, setRefused] = useState<Refused | null>(null);
  const ask = (address: string, body?: unknown) => {
    setDone(false);
    setRefused(null);
    server.call('POST', address, body).then(() => (setDone(true), again()), setRefused);
  };
  const may = session.role !== 'viewer';
  if (!answer) return fault ? <Fault fault={fault} again={again} /> : <p role="status">{t.loading}</p>;
  return (
    <>
      <h1>{w.outgoing.title}</h1>
      <Fault fault={refused ?? fault} />
      {done && <Notice kind="info">{w.outgoing.sent}</Notice>}
      {answer.destinations.length === 0 && <p class="large">{w.outgoing.none}</p>}
      <div class="cards">
        {answer.destinations.map((one) => {
          const left = (one.counts.waiting ?? 0) + (one.counts.sent ?? 0) + (one.counts.refused ?? 0);
          return (
            <section key={one.name} class={`form ${one.error ? 'suspected' : left ? 'uncertain' : 'not_seen'} toned`}>
              <h2>
                <bdi>{one.name}</bdi>
              </h2>
              <p>
                {one.reached_at ? w.outgoing.reached(date(Date.parse(one.reached_at))) : w.outgoing.never}
                {!one.active && ` · ${w.outgoing.inactive}`}
              </p>
              {one.error && one.failed_at && (
                <>
                  <p>
                    <strong>{w.outgoing.trouble(date(Date.parse(one.failed_at)))}</strong>
                  </p>
                  <p lang="en" dir="ltr">
                    {one.error}
                  </p>
                  <p class="small">{when(one.next_try_at)}</p>
                </>
              )}
              <dl>
                {Object.entries(one.counts).map(([state, count]) => (
                  <>
                    <dt>{w.delivery[state]}</dt>
                    <dd>{number(count)}</dd>
                  </>
                ))}
              </dl>
              {left === 0 && !one.error && <p>{w.outgoing.good}</p>}
              {left > 0 && may && (
                <button onClick={() => ask('/api/deliveries/resend', { destination: one.name })}>
                  {w.outgoing.all}
                </button>
              )}
            </section>
          );
        })}
      </div>
      {answer.waiting.length > 0 && <h2>{w.outgoing.waits}</h2>}
      <ul class="list">
        {answer.waiting.map((one) => (
          <li key={one.delivery} class={one.state === 'refused' ? 'suspected' : 'uncertain'}>
            <span class="what padded">
              <strong>
                <bdi>{one.destination}</bdi>: {w.delivery[one.kind]} · {w.delivery[one.state]}
              </strong>
              {one.why ? (
                <span lang="en" dir="ltr">
                  {one.why}
                </span>
              ) : (
                <span>{w.outgoing.itsTurn}</span>
              )}
              <small>
                <a href={`#/film/${one.film}`}>{w.outgoing.film(number(one.film))}</a> ·{' '}
                {w.outgoing.since(since(one.created_at, language))} · {w.outgoing.tries(number(one.attempts))}
                {one.next_try_at && ` · ${when(one.next_try_at)}`}
              </small>
            </span>
            {may && (
              <button class="quiet" onClick={() => ask(`/api/deliveries/${one.delivery}/resend`)}>
                {w.outgoing.resend}
                <span class="visually-hidden"> {w.outgoing.film(number(one.film))}</span>
              </button>
            )}
          </li>
        ))}
      </ul>
    </>
  );

  function when(moment: string): string {
    const time = Date.parse(moment);
    return time - Date.now() < 60_000 ? w.outgoing.soon : w.outgoing.nextTry(date(time));
  }
}
