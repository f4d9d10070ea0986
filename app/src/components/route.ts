import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** The parts of the address behind `#/`; a new screen begins at its top, with the focus on its heading. */
export function useRoute(): string[] {
  const [hash, setHash] = useState(location.hash);
  const shown = useRef(hash);
  useEffect(() => {
    const changed = () => setHash(location.hash);
    addEventListener('hashchange', changed);
    // The address may have changed before anybody listened.
    changed();
    return () => removeEventListener('hashchange', changed);
  }, []);
  // Once the new screen is there: before, the heading would be that of the screen which was left.
  useLayoutEffect(() => {
    if (hash === shown.current) return;
    shown.current = hash;
    scrollTo(0, 0);
    focusScreen();
  }, [hash]);
  return hash.replace(/^#\/?/, '').split('/');
}

/** For a form that makes way for a screen without a new address: the focus, which would be lost, goes to that screen. */
export function useHandover(): void {
  useEffect(
    () => () => {
      setTimeout(() => {
        if (document.activeElement === document.body) focusScreen();
      });
    },
    [],
  );
}

function focusScreen(): void {
  const screen = document.getElementById('content');
  const heading = screen?.querySelector('h1');
  if (heading) heading.tabIndex = -1;
  (heading ?? screen)?.focus();
}
