import { call } from '../api';
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
  checks: { name: string; state: 'ok' | 'warning' | 'failed'; found: string; todo: string }[];
}

const TONES = { ok: 'not_seen', warning: 'uncertain', failed: 'suspected' };

export function StateScreen() {
  const { w, t, number } = useWords();
  const { answer, fault, again } = useAnswer<State>(() => call('GET', '/api/state'), []);
  useLive(again);
  if (!answer) return fault ? <Fault fault={fault} again={again} /> : <p role="status">{t.loading}</p>;
  const well = answer.ok && answer.checks.every((check) => check.state === 'ok');
  return (
    <>
      <h1>{w.state.title}</h1>
      <p class="large">{well ? w.state.good : w.state.bad}</p>
      <h2>{w.state.checks}</h2>
      <ul class="list">
        {answer.checks.map((check) => (
          <li key={check.name} class={TONES[check.state]}>
            <span class="what padded">
              <strong>
                <bdi lang="en">{check.name}</bdi>: {w.state[check.state]}
              </strong>
              <span lang="en" dir="ltr">
                {check.found}
              </span>
              {check.todo && (
                <span>
                  {w.state.todo}{' '}
                  <bdi lang="en" dir="ltr">
                    {check.todo}
                  </bdi>
                </span>
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
