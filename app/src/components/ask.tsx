import { useEffect, useId, useRef } from 'preact/hooks';

interface Props {
  question: string;
  yes: string;
  no: string;
  answer: (sure: boolean) => void;
}

/** A question before something cannot be undone. */
export function Ask({ question, yes, no, answer }: Props) {
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
