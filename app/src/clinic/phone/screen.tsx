import { useEffect, useState } from 'preact/hooks';
import { Notice } from '../../components/notice';
import type { Worklist } from '../../worklist/store';
import { linkOf, pair, part, type Progress, send } from './link';
import { useLinkWords } from './words';

/** How often a paired phone looks whether the server can be reached, in milliseconds. */
const PERIOD = 60_000;

/** Sends the worklist of a paired phone: now, when the network is back, and every minute. */
export function useSending(worklist: Worklist | null): void {
  useEffect(() => {
    const go = () => {
      if (worklist && linkOf()) void send(worklist).catch(() => undefined);
    };
    go();
    addEventListener('online', go);
    document.addEventListener('visibilitychange', go);
    const clock = setInterval(go, PERIOD);
    return () => {
      removeEventListener('online', go);
      document.removeEventListener('visibilitychange', go);
      clearInterval(clock);
    };
  }, [worklist]);
}

/** Where the films of this phone go; `otherwise` while it is not paired. */
export function WhereFilmsGo({ otherwise }: { otherwise: string }) {
  const { w } = useLinkWords();
  const link = linkOf();
  return <>{link && !link.ended ? w.private(link.site) : otherwise}</>;
}

/** The pairing of this phone; with a code from a QR code, the question whether to pair. */
export function PairScreen({ code, worklist }: { code?: string; worklist: Worklist | null }) {
  const { w, number } = useLinkWords();
  const [link, setLink] = useState(linkOf);
  const [asked, setAsked] = useState(code);
  const [fault, setFault] = useState<'invitation' | 'network' | null>(null);
  const [progress, setProgress] = useState<Progress | null>(null);
  const go = () => {
    if (worklist && linkOf()) void send(worklist).then((found) => (setProgress(found), setLink(linkOf())));
  };
  useEffect(go, []);
  return (
    <>
      <h1>{w.title}</h1>
      {asked && (
        <form
          onSubmit={async (event) => {
            event.preventDefault();
            const name = String(new FormData(event.currentTarget).get('name'));
            const why = await pair(asked, name);
            setFault(why);
            if (why) return;
            setAsked(undefined);
            // The code is used up: a page that is loaded again must not ask again.
            history.replaceState(null, '', '#/pair');
            setLink(linkOf());
            go();
          }}
        >
          <p>{w.ask}</p>
          <label class="field">
            <span>{w.name}</span>
            <input name="name" dir="auto" maxLength={60} defaultValue={navigator.platform} required />
          </label>
          {fault && <Notice kind="warning">{w[fault]}</Notice>}
          <button class="big primary">{w.pair}</button>
        </form>
      )}
      {!asked && !link && <p>{w.none}</p>}
      {!asked && link && (
        <>
          {link.ended ? <Notice kind="warning">{w.ended}</Notice> : <p>{w.paired(link.site, link.user)}</p>}
          {progress && !link.ended && (
            <p role="status">
              {progress.all > 0 && w.sent(number(progress.sent), number(progress.all))}{' '}
              {progress.state === 'waiting' && w.waiting}
              {progress.state === 'locked' && w.locked}
            </p>
          )}
          <div class="row">
            {!link.ended && <button onClick={go}>{w.now}</button>}
            <button class="danger" onClick={() => (part(), setLink(null))}>
              {w.part}
            </button>
          </div>
        </>
      )}
    </>
  );
}

/** The way to the pairing, among the settings. */
export function LinkSettings() {
  const { w } = useLinkWords();
  const link = linkOf();
  return (
    <>
      <h2>{w.title}</h2>
      <p>{link ? (link.ended ? w.ended : w.paired(link.site, link.user)) : w.none}</p>
      {link && (
        <a class="button" href="#/pair">
          {w.title}
        </a>
      )}
    </>
  );
}
