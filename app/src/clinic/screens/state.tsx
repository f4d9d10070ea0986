import { useState } from 'preact/hooks';
import type { Refused } from '../api';
import { useServer } from '../desk';
import { Fault } from '../fault';
import { useAnswer, useLive } from '../live';
import { useWords } from '../words';

interface State {
  ok: boolean;
  version: string;
  python: string;
  reader: string;
  films: Record<string, number>;
  jobs: { kind: string; state: string; count: number }[];
  problems: { code: string; words: string; advice: string }[];
}

interface Finding {
  state: 'ok' | 'warning' | 'failure';
  what: string;
  words: string;
  advice: string;
}

const TONES = { ok: 'not_seen', warning: 'uncertain', failure: 'suspected' };

export function StateScreen() {
  const { w, t, number } = useWords();
  const server = useServer();
  const { answer, fault, again } = useAnswer<State>(() => server.call('GET', '/api/state'), []);
  useLive(again);
  const [findings, setFindings] = useState<Finding[] | null>(null);
  const [looking, setLooking] = useState(false);
  const [refused, setRefused] = useState<Refused | null>(null);
  if (!answer) return fault ? <Fault fault={fault} again={again} /> : <p role="status">{t.loading}</p>;
  const found: Finding[] =
    findings ?? answer.problems.map(({ code, ...problem }) => ({ state: 'warning', what: code, ...problem }));
  return (
    <>
      <h1>{w.state.title}</h1>
      <p class="large">{answer.ok && found.every(({ state }) => state === 'ok') ? w.state.good : w.state.bad}</p>
      <div class="row">
        <button
          class="primary"
          disabled={looking}
          onClick={() => {
            setLooking(true);
            setRefused(null);
            server
              .call<Finding[]>('POST', '/api/state/doctor')
              .then(setFindings, setRefused)
              .finally(() => setLooking(false));
          }}
        >
          {looking ? w.state.looking : w.state.look}
        </button>
      </div>
      <Fault fault={refused ?? fault} />
      <ul class="list">
        {found.map((one, index) => (
          <li key={index} class={TONES[one.state]}>
            <span class="what padded">
              <strong>
                <bdi lang="en">{one.what.replaceAll('_', ' ')}</bdi>: {w.state[one.state]}
              </strong>
              <span lang="en" dir="ltr">
                {one.words}
              </span>
              {one.advice && (
                <>
                  <span>{w.state.todo}</span>
                  <span lang="en" dir="ltr">
                    {one.advice}
                  </span>
                </>
              )}
            </span>
          </li>
        ))}
      </ul>
      <h2>{w.state.films}</h2>
      <dl>
        {Object.entries(answer.films).map(([status, count]) => (
          <>
            <dt>{status === 'waiting' ? w.worklist.waiting : t.status[status as keyof typeof t.status]}</dt>
            <dd>{number(count)}</dd>
          </>
        ))}
      </dl>
      <h2>{w.state.jobs}</h2>
      <dl>
        {answer.jobs.map(({ kind, state, count }) => (
          <>
            <dt>
              {w.state.kinds[kind] ?? kind} · {w.state[state as 'waiting' | 'running' | 'done' | 'failed']}
            </dt>
            <dd>{number(count)}</dd>
          </>
        ))}
      </dl>
      <p class="small">
        {w.state.reader}: <bdi>{answer.reader}</bdi> · {w.state.version} <bdi>{answer.version}</bdi> · Python{' '}
        <bdi>{answer.python}</bdi>
      </p>
    </>
  );
}
