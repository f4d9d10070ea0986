import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import type { Case, Kept } from '../assistant';
import { go, useRoom } from '../context';
import { type Speech, useSpeech } from '../i18n';
import type { Card } from '../contract/card';
import type { Status } from '../contract/judge';
import type { Reading } from '../worklist/reading';

/** The shape tells the status as well as the colour does. */
const SHAPES: Record<Status, string> = {
  suspected: 'M12 2 23 21H1ZM12 8v7M12 17.2v1.3',
  not_seen: 'M12 1.5a10.5 10.5 0 1 0 0 21 10.5 10.5 0 0 0 0-21ZM7 12.5l3.4 3.4L17 9',
  uncertain:
    'M12 1.5a10.5 10.5 0 1 0 0 21 10.5 10.5 0 0 0 0-21ZM8.8 9.3a3.2 3.2 0 1 1 4.6 2.9c-.9.5-1.4 1-1.4 2.1M12 16.8v1.3',
  refused: 'M7.7 1.5h8.6l6.2 6.2v8.6l-6.2 6.2H7.7l-6.2-6.2V7.7ZM7 12h10',
  failed: 'M5 1.5h9l5 5v16H5ZM9 11l6 6M15 11l-6 6',
};

export function StatusIcon({ status }: { status: Status }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={SHAPES[status]} />
    </svg>
  );
}

export function Notice({ kind, children }: { kind: 'info' | 'warning'; children: ComponentChildren }) {
  return (
    <div class={`notice ${kind} no-print`} role={kind === 'warning' ? 'alert' : 'status'}>
      {children}
    </div>
  );
}

/** The case with this id: what is on the screen, or else what the worklist holds; null until it is there. */
export function useCase(id: string): Case | null {
  const { current, worklist, show } = useRoom();
  const shown = current?.reading.id === id ? current : null;
  const locked = worklist?.locked;
  useEffect(() => {
    if (shown || locked) return;
    let wanted = true;
    void (async () => {
      const reading = await worklist?.get(id);
      const picture = (await worklist?.film(id)) ?? null;
      if (!wanted) return;
      if (reading) show({ reading, film: null, picture, kept: 'kept' });
      else go('/worklist');
    })();
    return () => {
      wanted = false;
    };
  }, [id, shown, locked]);
  return shown;
}

/** Why a reading was not kept. */
export function notKept(kept: Kept, { t }: Speech): string {
  return {
    kept: '',
    full: t.worklist.full,
    storage_full: t.worklist.storageFull,
    unavailable: t.worklist.storageFailed,
    locked: t.worklist.lockedNotKept,
  }[kept];
}

/** Said with every result. */
export function Disclaimer() {
  const { t, number } = useSpeech();
  const { engine } = useRoom();
  const ages = engine.state === 'ready' ? engine.card.ageYears : null;
  return (
    <p class="disclaimer">
      <strong>{t.disclaimer}</strong> {ages && t.population(number(ages[0]), number(ages[1]))}
    </p>
  );
}

export function sentence(reading: Reading, { t, percent }: Speech, card: Card | null): string {
  const { status, threshold } = reading;
  if (status === 'refused' || status === 'failed') return t.sentence[status];
  const probability = reading.probability!;
  const said = percent(probability, threshold);
  if (status !== 'uncertain') return t.sentence[status](said, percent(threshold, probability));
  const { lower, upper } = card?.abstention ?? { lower: 0, upper: 1 };
  return t.sentence.uncertain(said, percent(lower), percent(upper));
}

/** Why a film was refused and what to do, in the language of the screen or else in the card's words. */
export function reasonOf(code: string, { t }: Speech, card: Card | null): { reason: string; advice: string } {
  const known = t.codes[code];
  if (known) return { reason: known[0], advice: known[1] };
  // The reader itself could not be used.
  const trouble = (t.reader as Record<string, string>)[code];
  if (trouble) return { reason: trouble, advice: '' };
  const told = card?.gate.find((score) => score.code === code);
  return { reason: told?.reason ?? code, advice: told?.advice ?? '' };
}

export function warningOf(code: string, { t, number }: Speech, card: Card | null): string {
  const [from, to] = card?.ageYears ?? [0, 0];
  return t.warnings[code]?.(number(from), number(to)) ?? code;
}

export function pointName(name: string, { t }: Speech): string {
  return typeof t.point[name] === 'string' ? t.point[name] : name;
}

interface AskProps {
  question: string;
  yes: string;
  no: string;
  answer: (sure: boolean) => void;
}

/** A question before something cannot be undone. */
export function Ask({ question, yes, no, answer }: AskProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const name = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby={name} onCancel={() => answer(false)}>
      <p id={name}>{question}</p>
      <div class="row">
        <button class="danger" onClick={() => answer(true)}>
          {yes}
        </button>
        <button onClick={() => answer(false)}>{no}</button>
      </div>
    </dialog>
  );
}

export function download(name: string, type: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
