import { useEffect, useRef, useState } from 'preact/hooks';
import { Refused, upload } from '../api';
import { faultIn, useWords } from '../words';

interface Sent {
  name: string;
  state: 'waiting' | 'sending' | 'done' | 'known' | Refused;
  share: number;
  film?: number;
}

export function UploadScreen() {
  const speech = useWords();
  const { w, percent } = speech;
  const [sent, setSent] = useState<Sent[]>([]);
  const queue = useRef<Promise<void>>(Promise.resolve());

  const add = (files: File[]) => {
    setSent((before) => {
      files.forEach((file, index) => {
        const at = before.length + index;
        const change = (changed: Partial<Sent>) =>
          setSent((now) => now.map((one, place) => (place === at ? { ...one, ...changed } : one)));
        // One after the other: the line of a clinic is narrow, and the first film should be read first.
        queue.current = queue.current.then(async () => {
          change({ state: 'sending' });
          try {
            const answer = await upload(file, (share) => change({ share }));
            change({ state: answer.new ? 'done' : 'known', film: answer.film });
          } catch (error) {
            change({ state: error instanceof Refused ? error : new Refused(0, 'unexpected') });
          }
        });
      });
      return [...before, ...files.map((file) => ({ name: file.name, state: 'waiting' as const, share: 0 }))];
    });
  };

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

  const said = ({ state, share }: Sent) => {
    if (state instanceof Refused) return faultIn(w, speech, state.code, state.facts);
    if (state === 'sending') return w.upload.sending(percent(share));
    return w.upload[state];
  };
  return (
    <>
      <h1>{w.upload.title}</h1>
      <label class="button big primary">
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
      <ul class="list" aria-live="polite">
        {sent.map((one, index) => (
          <li key={index} class={one.state instanceof Refused ? 'suspected' : 'not_seen'}>
            <span class="what padded">
              <bdi>{one.name}</bdi>
              <span>{said(one)}</span>
              {one.state === 'sending' && <progress value={one.share} aria-label={one.name} />}
            </span>
            {one.film && (
              <a class="open" href={`#/film/${one.film}`}>
                {w.upload.open}
                <span class="visually-hidden"> {one.name}</span>
              </a>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}
