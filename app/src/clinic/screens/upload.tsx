import { useEffect, useRef, useState } from 'preact/hooks';
import { reasonOf } from '../../i18n/sentences';
import { type Named, type Page, Refused, type Row } from '../api';
import { useDesk, useServer } from '../desk';
import { Fault } from '../fault';
import { IdentityStrip } from '../identity';
import { useAnswer, useLive } from '../live';
import { NameFields } from '../naming';
import { AtOnce } from '../shown';
import { faultIn, useWords } from '../words';
import { Said } from './film';

/** Bytes of the largest film that the server takes (`contract/limits`). */
const LARGEST = 300_000_000;
/** Films that the worklist is asked for by number at once. */
const MOST = 200;

interface Sent {
  file: File;
  named: Named;
  /** `chosen`: its form is not filled in yet. */
  state: 'chosen' | 'waiting' | 'sending' | 'done' | 'known' | Refused;
  share: number;
  film?: number;
}

/** The number that a file's name suggests: its longest part with a digit in it, if it is not the whole of a UID. */
export function suggestedNumber(file: string): string {
  const parts = file.replace(/\.[^.]*$/, '').split(/[\s_]+/);
  const numbered = parts.filter((part) => /\d/.test(part) && part.length <= 24 && !/^[12](\.\d+){3,}$/.test(part));
  return numbered.sort((one, other) => other.length - one.length)[0] ?? '';
}

export function UploadScreen() {
  const speech = useWords();
  const { w, number } = speech;
  const server = useServer();
  const [sent, setSent] = useState<Sent[]>([]);
  const queue = useRef<Promise<void>>(Promise.resolve());
  const films = sent.flatMap(({ film }) => film ?? []).slice(-MOST);
  const { answer, fault, again } = useAnswer<Page | null>(
    () => (films.length ? server.call('POST', '/api/worklist', { view: 'all', films }) : Promise.resolve(null)),
    [films.join()],
  );
  useLive(again);
  const change = (at: number, changed: Partial<Sent>) =>
    setSent((now) => now.map((one, place) => (place === at ? { ...one, ...changed } : one)));

  const add = (files: File[]) =>
    setSent((before) => [
      ...before,
      ...files.map((file): Sent => ({
        file,
        named: { number: suggestedNumber(file.name), name: '', sex: '', age_years: null },
        state: file.size > LARGEST ? new Refused(413, 'too_large') : 'chosen',
        share: 0,
      })),
    ]);
  const send = () =>
    sent.forEach(({ file, named, state }, at) => {
      if (state !== 'chosen') return;
      change(at, { state: 'waiting' });
      // One after the other: the line of a clinic is narrow, and the first film should be read first.
      queue.current = queue.current.then(async () => {
        change(at, { state: 'sending' });
        try {
          const found = await server.upload(file, named, (share) => change(at, { share }));
          change(at, { state: found.new ? 'done' : 'known', film: found.film });
        } catch (error) {
          change(at, { state: error instanceof Refused ? error : new Refused(0, 'unexpected') });
        }
      });
    });

  useEffect(() => {
    const over = (event: DragEvent) => event.preventDefault();
    const drop = (event: DragEvent) => {
      event.preventDefault();
      add([...(event.dataTransfer?.files ?? [])]);
    };
    addEventListener('dragover', over);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', over);
      removeEventListener('drop', drop);
    };
  }, []);

  const open = sent.filter(({ state }) => state === 'chosen');
  return (
    <>
      <h1>{w.upload.title}</h1>
      <label class={open.length ? 'button big' : 'button big primary'}>
        <input
          class="visually-hidden"
          type="file"
          multiple
          onChange={(event) => {
            add([...(event.currentTarget.files ?? [])]);
            event.currentTarget.value = '';
          }}
        />
        {w.upload.choose}
      </label>
      <p>
        {w.upload.drop} {w.upload.privacy}
      </p>
      {open.length > 0 && (
        <form class="form" onSubmit={(event) => (event.preventDefault(), send())}>
          <h2>{w.upload.whose}</h2>
          <p class="small">{w.upload.whoseHint}</p>
          {sent.map(
            (one, at) =>
              one.state === 'chosen' && (
                <fieldset key={at}>
                  <legend>
                    <bdi>{one.file.name}</bdi>
                  </legend>
                  <NameFields named={one.named} change={(named) => change(at, { named })} />
                  {at > 0 && (
                    <button
                      type="button"
                      class="quiet"
                      onClick={() => change(at, { named: { ...sent[at - 1].named } })}
                    >
                      {w.upload.same}
                    </button>
                  )}
                </fieldset>
              ),
          )}
          <button class="primary big">{w.upload.send(number(open.length))}</button>
        </form>
      )}
      <Fault fault={fault} again={again} />
      <ul class="list" aria-live="polite">
        {sent.map(
          (one, at) =>
            one.state !== 'chosen' && (
              <Outcome key={at} sent={one} row={answer?.rows.find(({ id }) => id === one.film)} />
            ),
        )}
      </ul>
    </>
  );
}

/** What became of one film: on its way, read, or why it was not taken. */
function Outcome({ sent: { file, state, share, film }, row }: { sent: Sent; row?: Row }) {
  const speech = useWords();
  const { w, percent } = speech;
  const { card } = useDesk();
  const refused = state instanceof Refused;
  const said = refused
    ? faultIn(w, speech, state.code, state.facts)
    : state === 'sending'
      ? w.upload.sending(percent(share))
      : w.upload[state === 'chosen' ? 'waiting' : state];
  const read = row !== undefined && row.status !== 'waiting';
  const reasons = row?.codes.filter((code) => code !== 'abstained' && !row.at_once.includes(code)) ?? [];
  return (
    <li class={refused ? 'suspected' : read ? row.status : 'refused'}>
      <span class="what padded">
        <bdi>{file.name}</bdi>
        {read ? (
          <>
            <Said row={row} />
            <AtOnce row={row} />
            {reasons.slice(0, 1).map((code) => (
              <span key={code}>{reasonOf(code, speech, card).reason}</span>
            ))}
            <IdentityStrip row={row} />
          </>
        ) : (
          <span>{said}</span>
        )}
        {state === 'known' && read && <small>{w.upload.known}</small>}
        {state === 'sending' && <progress value={share} aria-label={file.name} />}
      </span>
      {film && (
        <a class="open" href={`#/film/${film}`}>
          {w.upload.open}
          <span class="visually-hidden"> {file.name}</span>
        </a>
      )}
    </li>
  );
}
