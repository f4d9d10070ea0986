import { useState } from 'preact/hooks';
import { Notice } from '../../components/notice';
import { useHandover } from '../../components/route';
import type { Refused } from '../api';
import { useServer } from '../desk';
import { Fault } from '../fault';
import { useWords } from '../words';

/** Another password; with `must`, the first one after a one-time code. */
export function AccountScreen({ must = false, changed }: { must?: boolean; changed?: () => void }) {
  const { w } = useWords();
  const server = useServer();
  const [fault, setFault] = useState<Refused | null>(null);
  const [differ, setDiffer] = useState(false);
  const [kept, setKept] = useState(false);
  useHandover();
  return (
    <div class="narrow">
      <h1>{w.password.title}</h1>
      {must && <Notice kind="info">{w.password.once}</Notice>}
      {kept && <Notice kind="info">{w.password.kept}</Notice>}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const form = event.currentTarget;
          const given = new FormData(form);
          setKept(false);
          setFault(null);
          setDiffer(given.get('new') !== given.get('again'));
          if (given.get('new') !== given.get('again')) return;
          server
            .call('POST', '/api/session/password', { old: given.get('old') ?? '', new: given.get('new') })
            .then(() => (form.reset(), setKept(true), changed?.()), setFault);
        }}
      >
        {!must && (
          <label class="field">
            <span>{w.password.old}</span>
            <input name="old" type="password" autocomplete="current-password" dir="auto" required maxLength={1000} />
          </label>
        )}
        <label class="field">
          <span>{w.password.fresh}</span>
          <input
            name="new"
            type="password"
            autocomplete="new-password"
            dir="auto"
            required
            maxLength={200}
            aria-describedby="rule"
          />
        </label>
        <p id="rule" class="small">
          {w.password.rule}
        </p>
        <label class="field">
          <span>{w.password.again}</span>
          <input name="again" type="password" autocomplete="new-password" dir="auto" required maxLength={200} />
        </label>
        {differ && <Notice kind="warning">{w.password.differ}</Notice>}
        <Fault fault={fault} />
        <button class="primary">{w.password.keep}</button>
      </form>
    </div>
  );
}
