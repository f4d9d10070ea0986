import type { ComponentChildren } from 'preact';
import type { Card } from '../contract/card';
import { useSpeech } from '../i18n';
import { population } from '../i18n/sentences';

export function Notice({ kind, children }: { kind: 'info' | 'warning'; children: ComponentChildren }) {
  return (
    <div class={`notice ${kind} no-print`} role={kind === 'warning' ? 'alert' : 'status'}>
      {children}
    </div>
  );
}

/** Said with every result. */
export function Disclaimer({ card }: { card: Card | null }) {
  const speech = useSpeech();
  return (
    <p class="disclaimer">
      <strong>{speech.t.disclaimer}</strong> {card && population(card, speech)}
    </p>
  );
}
