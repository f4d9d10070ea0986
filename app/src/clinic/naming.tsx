import { useState } from 'preact/hooks';
import { AgeField } from '../components/age_field';
import type { Film, Named, Refused } from './api';
import { useServer } from './desk';
import { Fault } from './fault';
import { useWords } from './words';

interface FieldsProps {
  named: Named;
  change: (changed: Named) => void;
}

/** Number, name, sex and age of one patient. */
export function NameFields({ named, change }: FieldsProps) {
  const { w } = useWords();
  const set = (changed: Named) => change({ ...named, ...changed });
  return (
    <div class="naming">
      <label class="field">
        <span>{w.naming.number}</span>
        <input dir="auto" maxLength={64} value={named.number} onInput={(e) => set({ number: e.currentTarget.value })} />
      </label>
      <label class="field">
        <span>{w.film.name}</span>
        <input dir="auto" maxLength={200} value={named.name} onInput={(e) => set({ name: e.currentTarget.value })} />
      </label>
      <AgeField age={named.age_years ?? null} change={(age_years) => set({ age_years })} />
      <label class="field">
        <span>{w.film.sex}</span>
        <select value={named.sex} onChange={(e) => set({ sex: e.currentTarget.value as Named['sex'] })}>
          <option value="">{w.naming.unknown}</option>
          <option value="F">{w.film.sexes.F}</option>
          <option value="M">{w.film.sexes.M}</option>
        </select>
      </label>
    </div>
  );
}

/** Say whose film it is, or mend it: signed, and the results follow. */
export function CorrectIdentity({ film, done }: { film: Film; done: () => void }) {
  const { w } = useWords();
  const server = useServer();
  const before: Named = {
    number: film.patient,
    name: film.name,
    birth_date: film.birth_date,
    sex: (film.sex === 'F' || film.sex === 'M' ? film.sex : '') as Named['sex'],
    age_years: film.age_years,
  };
  const [named, setNamed] = useState(before);
  const [note, setNote] = useState('');
  const [fault, setFault] = useState<Refused | null>(null);
  const [open, setOpen] = useState(film.identity === 'unknown');
  const sign = () => {
    setFault(null);
    server
      .call('POST', `/api/films/${film.id}/identity`, { ...named, note })
      .then(() => (setOpen(false), done()), setFault);
  };
  return (
    <details class="form" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{film.identity === 'unknown' ? w.naming.unnamed : w.naming.correct}</summary>
      <form onSubmit={(event) => (event.preventDefault(), sign())}>
        <NameFields named={named} change={setNamed} />
        <label class="field">
          <span>{w.naming.why}</span>
          <input dir="auto" maxLength={500} value={note} onInput={(e) => setNote(e.currentTarget.value)} />
        </label>
        <Fault fault={fault} />
        <button class="primary" disabled={!named.number?.trim() && !named.name?.trim()}>
          {w.naming.sign}
        </button>
        <p class="small">{w.naming.hint}</p>
      </form>
    </details>
  );
}
