import { useState } from 'preact/hooks';
import { Ask } from '../../components/ask';
import type { Refused } from '../api';
import { useServer } from '../desk';
import { Fault } from '../fault';
import { useAnswer } from '../live';
import { useWords } from '../words';

interface Phone {
  id: number;
  name: string;
  by: string;
  paired_at: string;
  revoked: boolean;
}

export function PhonesScreen() {
  const { w, t, date } = useWords();
  const server = useServer();
  const { answer, fault, again } = useAnswer<Phone[]>(() => server.call('GET', '/api/devices'), []);
  const [invitation, setInvitation] = useState<{ address: string; picture: string } | null>(null);
  const [refused, setRefused] = useState<Refused | null>(null);
  const [doomed, setDoomed] = useState<number | null>(null);
  return (
    <>
      <h1>{w.phones.title}</h1>
      <p>{w.phones.hint}</p>
      <p>
        <a href="#/trust">{w.phones.trust}</a>
      </p>
      <button
        class="big primary"
        onClick={() => {
          setRefused(null);
          server.call<{ address: string; picture: string }>('POST', '/api/pairings').then(setInvitation, setRefused);
        }}
      >
        {w.phones.pair}
      </button>
      <Fault fault={refused} />
      {invitation && (
        <section class="form invitation">
          <p>{w.phones.scan}</p>
          <img src={invitation.picture} alt={w.phones.picture} />
          <p>
            {w.phones.address} <code dir="ltr">{invitation.address}</code>
          </p>
        </section>
      )}
      <h2>{w.phones.mine}</h2>
      <Fault fault={fault} again={again} />
      {!answer && !fault && <p role="status">{t.loading}</p>}
      {answer?.length === 0 && <p>{w.phones.none}</p>}
      <ul class="list">
        {answer?.map((phone) => (
          <li key={phone.id} class={phone.revoked ? 'refused' : 'not_seen'}>
            <span class="what padded">
              <bdi>{phone.name}</bdi>
              <small>
                {w.phones.by(phone.by, date(Date.parse(phone.paired_at)))}
                {phone.revoked && ` · ${w.phones.revoked}`}
              </small>
            </span>
            {!phone.revoked && (
              <button class="quiet" onClick={() => setDoomed(phone.id)}>
                {w.phones.revoke}
                <span class="visually-hidden"> {phone.name}</span>
              </button>
            )}
          </li>
        ))}
      </ul>
      {doomed !== null && (
        <Ask
          question={w.phones.sure}
          yes={w.phones.revoke}
          no={w.cancel}
          answer={(sure) => {
            setDoomed(null);
            if (sure) server.call('DELETE', `/api/devices/${doomed}`).then(again, setRefused);
          }}
        />
      )}
    </>
  );
}
