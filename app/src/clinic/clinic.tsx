import { useEffect, useMemo, useState } from 'preact/hooks';
import { LANGUAGES, type Language, speech, SpeechContext } from '../i18n';
import { type Card, cardOf, type Facts } from '../contract/card';
import { type Refused, Server, type Session } from './api';
import { DeskContext, ServerContext, useServer } from './desk';
import { Fault } from './fault';
import { AccountScreen } from './screens/account';
import { ExportsScreen } from './screens/exports';
import { FilmScreen } from './screens/film';
import { IdentitiesScreen } from './screens/identities';
import { Login } from './screens/login';
import { OutgoingScreen } from './screens/outgoing';
import { PhonesScreen } from './screens/phones';
import { ReportScreen } from './screens/report';
import { StateScreen } from './screens/state';
import { TrailScreen } from './screens/trail';
import { TriageScreen } from './screens/triage';
import { TrustScreen } from './screens/trust';
import { UploadScreen } from './screens/upload';
import { UsersScreen } from './screens/users';
import { WorklistScreen } from './screens/worklist';
import { useRoute } from '../components/route';
import { useWords } from './words';

interface Place {
  name: keyof ReturnType<typeof useWords>['w']['nav'];
  roles: readonly string[];
  screen: (rest: string[]) => preact.JSX.Element;
}

const ALL = ['administrator', 'clinician', 'viewer'];
const CLINICIANS = ['administrator', 'clinician'];
/** The pages that stand in the bar, in this order. */
const PLACES: Record<string, Place> = {
  worklist: { name: 'worklist', roles: ALL, screen: () => <WorklistScreen /> },
  upload: { name: 'upload', roles: CLINICIANS, screen: () => <UploadScreen /> },
  outgoing: { name: 'outgoing', roles: ALL, screen: () => <OutgoingScreen /> },
  exports: { name: 'exports', roles: CLINICIANS, screen: () => <ExportsScreen /> },
  phones: { name: 'phones', roles: CLINICIANS, screen: () => <PhonesScreen /> },
  users: { name: 'users', roles: ['administrator'], screen: () => <UsersScreen /> },
  trail: { name: 'trail', roles: ['administrator'], screen: () => <TrailScreen /> },
  state: { name: 'state', roles: ['administrator'], screen: () => <StateScreen /> },
  account: { name: 'account', roles: ALL, screen: () => <AccountScreen /> },
};

const kept = (): Language | null => {
  const found = localStorage.getItem('clinic.language');
  return found && found in LANGUAGES ? (found as Language) : null;
};

export function Clinic() {
  const [session, setSession] = useState<Session | null>(null);
  const [card, setCard] = useState<Card | null>(null);
  const [fault, setFault] = useState<Refused | null>(null);
  const [ended, setEnded] = useState(false);
  const [language, setLanguage] = useState<Language | null>(kept);
  const route = useRoute();
  const chosen = language ?? session?.language ?? 'en';
  const spoken = useMemo(() => speech(chosen, 'arab'), [chosen]);

  const server = useMemo(
    () =>
      new Server(session?.csrf, () => {
        setSession((before) => before && { ...before, user: null });
        setEnded(true);
      }),
    [session?.csrf],
  );

  const entered = (found: Session) => {
    setSession(found);
    if (found.user && !found.must_change_password)
      server.call<Facts>('GET', '/api/reader').then((facts) => setCard(cardOf(facts)), setFault);
  };
  const load = () => {
    setFault(null);
    server.call<Session>('GET', '/api/session').then(entered, setFault);
  };
  useEffect(load, []);
  useEffect(() => {
    document.documentElement.lang = chosen;
    document.documentElement.dir = spoken.t.direction;
    document.title = session?.site ? `${session.site} · ${spoken.t.app}` : spoken.t.app;
  }, [chosen, session?.site]);

  const speak = (wanted: Language) => {
    localStorage.setItem('clinic.language', wanted);
    setLanguage(wanted);
    if (session?.user) server.call('POST', '/api/session/language', { language: wanted }).catch(() => undefined);
  };

  const page = () => {
    if (route[0] === 'trust') return <TrustScreen />;
    if (fault && !session) return <Fault fault={fault} again={load} />;
    if (!session) return <p role="status">{spoken.t.loading}</p>;
    if (!session.user) return <Login ended={ended} entered={() => (setEnded(false), load())} />;
    if (session.must_change_password) return <AccountScreen must changed={load} />;
    if (!card) return fault ? <Fault fault={fault} again={load} /> : <p role="status">{spoken.t.loading}</p>;
    if (route[0] === 'film') return <FilmScreen key={route[1]} id={Number(route[1])} />;
    if (route[0] === 'triage') return session.role === 'viewer' ? <WorklistScreen /> : <TriageScreen />;
    if (route[0] === 'identities') return <IdentitiesScreen />;
    if (route[0] === 'report') return <ReportScreen id={Number(route[1])} />;
    const place = PLACES[route[0]] ?? PLACES.worklist;
    return place.roles.includes(session.role) ? place.screen(route.slice(1)) : <WorklistScreen />;
  };

  return (
    <SpeechContext.Provider value={spoken}>
      <ServerContext.Provider value={server}>
        <DeskContext.Provider value={session && card ? { session, card } : null}>
          <a
            class="skip"
            href="#content"
            onClick={(event) => {
              event.preventDefault();
              document.getElementById('content')?.focus();
            }}
          >
            {spoken.t.skip}
          </a>
          <Bar session={session} here={route[0] || 'worklist'} speak={speak} left={load} />
          <main id="content" tabIndex={-1} class={`page-${route[0] || 'worklist'}`}>
            {page()}
          </main>
        </DeskContext.Provider>
      </ServerContext.Provider>
    </SpeechContext.Provider>
  );
}

interface BarProps {
  session: Session | null;
  here: string;
  speak: (language: Language) => void;
  left: () => void;
}

function Bar({ session, here, speak, left }: BarProps) {
  const { w, t, language } = useWords();
  const server = useServer();
  const leave = () => {
    // What was typed and not signed is of no concern to the next person at this computer.
    sessionStorage.clear();
    server.call('DELETE', '/api/session').finally(left);
  };
  const other: Language = language === 'ar' ? 'en' : 'ar';
  const inside = session?.user && !session.must_change_password;
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [here]);
  return (
    <header class="clinic-bar no-print">
      <div class="bar">
        <span class="brand">
          {session?.site ?? t.app} <small>{t.app}</small>
        </span>
        <span class="row">
          <button class="quiet" lang={other} onClick={() => speak(other)}>
            {LANGUAGES[other].name}
          </button>
          {session?.user && (
            <button class="quiet" onClick={leave}>
              {w.login.leave} <bdi>({session.name})</bdi>
            </button>
          )}
        </span>
      </div>
      {inside && (
        <button class="menu" aria-expanded={open} aria-controls="pages" onClick={() => setOpen(!open)}>
          ☰ {w.nav.menu}
        </button>
      )}
      {inside && (
        <nav id="pages" class={open ? 'open' : undefined} aria-label={w.nav.label}>
          {Object.entries(PLACES)
            .filter(([, place]) => place.roles.includes(session.role))
            .map(([address, { name }]) => (
              <a key={address} href={`#/${address}`} aria-current={here === address ? 'page' : undefined}>
                {w.nav[name]}
              </a>
            ))}
        </nav>
      )}
    </header>
  );
}
