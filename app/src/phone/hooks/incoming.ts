import { useEffect, useRef } from 'preact/hooks';

/** Films that are dropped on the page or pasted into it. */
export function useIncomingFilms(read: (files: File[]) => Promise<void>): void {
  const latest = useRef(read);
  latest.current = read;
  useEffect(() => {
    const take = (data: DataTransfer | null) => void latest.current([...(data?.files ?? [])]);
    const over = (event: DragEvent) => event.preventDefault();
    const drop = (event: DragEvent) => {
      event.preventDefault();
      take(event.dataTransfer);
    };
    const paste = (event: ClipboardEvent) => take(event.clipboardData);
    addEventListener('dragover', over);
    addEventListener('drop', drop);
    addEventListener('paste', paste);
    return () => {
      removeEventListener('dragover', over);
      removeEventListener('drop', drop);
      removeEventListener('paste', paste);
    };
  }, []);
}
