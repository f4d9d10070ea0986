import { Notice } from '../components/notice';
import type { Refused } from './api';
import { faultIn, useWords } from './words';

/** Why something was refused, and a way to try again. */
export function Fault({ fault, again }: { fault: Refused | null; again?: () => void }) {
  const speech = useWords();
  if (!fault) return null;
  return (
    <Notice kind="warning">
      <span>{faultIn(speech.w, speech, fault.code, fault.facts)}</span>
      {fault.code === 'trail_broken' && <bdi lang="en">{fault.facts.message}</bdi>}
      {fault.code === 'no_monitor' && <bdi lang="en">{fault.facts.message}</bdi>}
      {again && (
        <span class="row">
          <button onClick={again}>{speech.w.retry}</button>
        </span>
      )}
    </Notice>
  );
}
