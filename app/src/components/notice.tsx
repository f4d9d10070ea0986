import type { ComponentChildren } from 'preact';
import { useSpeech } from '../i18n';
import type { Card } from '../contract/card';

export function Notice({ kind, children }: { kind: 'info' | 'warning'; children: ComponentChildren }) {
  return (
    <div class={`notice ${kind} no-print`} role={kind === 'warning' ? 'alert' : 'status'}>
      {children}
    </div>
  );
}

/** Said with every result. */
export function Disclaimer({ card }: { card: Card | null }) {
  const { t, number } = useSpeech();
  const ages = card?.ageYears;
  return (
    <p class="disclaimer">
      <strong>{t.disclaimer}</strong> {ages && t.population(number(ages[0]), number(ages[1]))}
    </p>
  );
}
