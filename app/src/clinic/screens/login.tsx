import { useState } from 'preact/hooks';
import { Notice } from '../../components/notice';
import { useHandover } from '../../components/route';
import type { Refused } from '../api';
import { useServer } from '../desk';
import { Fault } from '../fault';
import { useWords } from '../words';

export function Login({ ended, entered }: { ended: boolean; entered: () => void }) {
  const { w, t } = useWords();
  const server = useServer();
  const [fault, setFault] = useState<Refused | null>(null);
  const [busy, setBusy] = useState(false);
  useHandover();
  return (
    <div class="narrow">
      <h1>{w.login.title}</h1>
      {ended && <Notice kind="info">{w.login.ended}</Notice>}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const given = new FormData(event.currentTarget);
          setBusy(true);
          setFault(null);
          server
            .call('POST', '/api/session', { name: given.get('name'), password: given.get('password') })
            .then(entered, setFault)
            .finally(() => setBusy(false));
        }}
      >
        <label class="field">
          <span>{w.login.name}</span>
          <input name="name" autocomplete="username" autocapitalize="none" dir="auto" required maxLength={100} />
        </label>
        <label class="field">
          <span>{w.login.password}</span>
          <input name="password" type="password" autocomplete="current-password" dir="auto" required maxLength={1000} />
        </label>
        <Fault fault={fault} />
        <button class="big primary" disabled={busy}>
          {w.login.enter}
        </button>
      </form>
      <p class="small">{w.login.forgotten}</p>
      <p>
        <a href="#/trust">{w.login.trust}</a>
      </p>
      <p class="disclaimer">
        <strong>{t.disclaimer}</strong>
      </p>
    </div>
  );
}
