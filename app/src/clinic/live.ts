import { useEffect, useRef, useState } from 'preact/hooks';
import { Refused } from './api';

/**
 * Calls `changed` when the server says that something did, and when the connection is back.
 *
 * @param film the one on the screen: others see that somebody looks at it
 * @returns whether the server can be reached
 */
export function useLive(changed: () => void, film?: number): boolean {
  const [connected, setConnected] = useState(true);
  const latest = useRef(changed);
  latest.current = changed;
  useEffect(() => {
    const source = new EventSource(`/api/events${film ? `?film=${film}` : ''}`);
    let opened = false;
    source.addEventListener('open', () => {
      setConnected(true);
      if (opened) latest.current(); // what happened meanwhile
      opened = true;
    });
    source.addEventListener('changed', () => latest.current());
    source.addEventListener('ended', () => latest.current());
    source.addEventListener('error', () => setConnected(false));
    return () => source.close();
  }, [film]);
  return connected;
}

/** What an address answers, fetched again with `again`; the last response stays until the next one comes. */
export function useAnswer<T>(
  ask: () => Promise<T>,
  inputs: unknown[],
): { answer: T | null; fault: Refused | null; again: () => void } {
  const [answer, setAnswer] = useState<T | null>(null);
  const [fault, setFault] = useState<Refused | null>(null);
  const number = useRef(0);
  const again = () => {
    const mine = ++number.current;
    ask().then(
      (found) => mine === number.current && (setAnswer(found), setFault(null)),
      (error) => mine === number.current && setFault(error instanceof Refused ? error : new Refused(0, 'unexpected')),
    );
  };
  useEffect(again, inputs);
  return { answer, fault, again };
}
