import { useEffect, useState } from 'preact/hooks';

/** The parts of the address behind `#/`; a new page begins at its top, with the focus on it. */
export function useRoute(): string[] {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => {
      setHash(location.hash);
      scrollTo(0, 0);
      document.getElementById('content')?.focus();
    };
    addEventListener('hashchange', changed);
    // The address may have changed before anybody listened.
    setHash(location.hash);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return hash.replace(/^#\/?/, '').split('/');
}
