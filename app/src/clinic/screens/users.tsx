import { useState } from 'preact/hooks';
import { Ask } from '../../components/ask';
import { Notice } from '../../components/notice';
import type { Refused } from '../api';
import { useServer } from '../desk';
import { Fault } from '../fault';
import { useAnswer } from '../live';
import { useWords } from '../words';

interface User {
  name: string;
  full_name: string;
  role: string;
  closed: boolean;
  locked_until: string | null;
  must_change_password: boolean;
}

const ROLES = ['clinician', 'viewer', 'administrator'];

export function UsersScreen() {
  const { w, t, date } = useWords();
  const server = useServer();
  const { answer, fault, again } = useAnswer<User[]>(() => server.call('GET', '/api/users'), []);
  const [code, setCode] = useState<{ name: string; code: string } | null>(null);
  const [refused, setRefused] = useState<Refused | null>(null);
  const [question, setQuestion] = useState<{ words: string; yes: string; act: () => void } | null>(null);
  const ask = (method: string, address: string, body?: unknown, name = '') => {
    setRefused(null);
    setCode(null);
    server
      .call<{ code?: string }>(method, address, body)
      .then((found) => (found.code && setCode({ name, code: found.code }), again()), setRefused);
  };
  const at = (user: User) => `/api/users/${encodeURIComponent(user.name)}`;
  return (
    <>
      <h1>{w.users.title}</h1>
      <Fault fault={refused ?? fault} />
      {code && (
        <Notice kind="info">
          <span>
            {w.users.code('')} <bdi>{code.name}</bdi>
          </span>
          <output class="code" dir="ltr">
            {code.code}
          </output>
          <span>{w.users.codeHint}</span>
        </Notice>
      )}
      {!answer && !fault && <p role="status">{t.loading}</p>}
      <ul class="list">
        {answer?.map((user) => (
          <li key={user.name} class={user.closed ? 'refused' : 'not_seen'}>
            <span class="what padded">
              <span>
                <strong>
                  <bdi>{user.full_name || user.name}</bdi>
                </strong>{' '}
                <bdi>({user.name})</bdi>
              </span>
              <small>
                {w.roles[user.role]}
                {user.closed && ` · ${w.users.closed}`}
                {!user.closed && user.must_change_password && ` · ${w.users.pending}`}
                {user.locked_until &&
                  Date.parse(user.locked_until) > Date.now() &&
                  ` · ${w.users.locked(date(Date.parse(user.locked_until)))}`}
              </small>
              <span class="row">
                {!user.closed && (
                  <>
                    <label class="field inline">
                      <span class="visually-hidden">
                        {w.users.role}: {user.name}
                      </span>
                      <select
                        value={user.role}
                        onChange={(event) => ask('PATCH', at(user), { role: event.currentTarget.value })}
                      >
                        {ROLES.map((role) => (
                          <option key={role} value={role}>
                            {w.roles[role]}
                          </option>
                        ))}
                      </select>
                    </label>
                    <button
                      onClick={() =>
                        setQuestion({
                          words: w.users.sureReset(user.name),
                          yes: w.users.reset,
                          act: () => ask('POST', `${at(user)}/reset`, undefined, user.name),
                        })
                      }
                    >
                      {w.users.reset}
                      <span class="visually-hidden"> {user.name}</span>
                    </button>
                    <button
                      class="danger"
                      onClick={() =>
                        setQuestion({
                          words: w.users.sureShut(user.name),
                          yes: w.users.shut,
                          act: () => ask('PATCH', at(user), { closed: true }),
                        })
                      }
                    >
                      {w.users.shut}
                      <span class="visually-hidden"> {user.name}</span>
                    </button>
                  </>
                )}
                {user.closed && (
                  <button onClick={() => ask('PATCH', at(user), { closed: false })}>
                    {w.users.open}
                    <span class="visually-hidden"> {user.name}</span>
                  </button>
                )}
              </span>
            </span>
          </li>
        ))}
      </ul>
      <section class="form" aria-labelledby="new-user">
        <h2 id="new-user">{w.users.add}</h2>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const given = new FormData(event.currentTarget);
            ask(
              'POST',
              '/api/users',
              { name: given.get('name'), full_name: given.get('full_name'), role: given.get('role') },
              String(given.get('name')),
            );
            event.currentTarget.reset();
          }}
        >
          <label class="field">
            <span>
              {w.users.name} <small>{w.users.nameHint}</small>
            </span>
            <input name="name" required maxLength={40} pattern="[\p{L}\p{N}_.\-]+" autocomplete="off" dir="auto" />
          </label>
          <label class="field">
            <span>{w.users.full}</span>
            <input name="full_name" maxLength={80} autocomplete="off" dir="auto" />
          </label>
          <fieldset>
            <legend>{w.users.role}</legend>
            {ROLES.map((role) => (
              <label key={role} class="choice">
                <input type="radio" name="role" value={role} defaultChecked={role === 'clinician'} />
                <span>
                  <strong>{w.roles[role]}</strong> <small>{w.users.rights[role]}</small>
                </span>
              </label>
            ))}
          </fieldset>
          <button class="primary">{w.users.create}</button>
        </form>
      </section>
      {question && (
        <Ask
          question={question.words}
          yes={question.yes}
          no={w.cancel}
          answer={(sure) => {
            setQuestion(null);
            if (sure) question.act();
          }}
        />
      )}
    </>
  );
}
