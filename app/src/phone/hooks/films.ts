import { useRef, useState } from 'preact/hooks';
import type { Film } from '../../film/film';
import type { Assistant, Case } from '../assistant';
import { type Batch, go } from '../room';

/** Films on their way from a file to a reading: one on the screen, a photo to be straightened, or a batch. */
export function useFilms(assistant: Assistant, operatingPoint: string | null) {
  const [current, setCurrent] = useState<Case | null>(null);
  const [batch, setBatch] = useState<Batch | null>(null);
  const [photo, setPhoto] = useState<Film | null>(null);
  const stopped = useRef(false);
  const reading = useRef(false);

  const goTo = (read: Case) => {
    setCurrent(read);
    go(`/reading/${read.reading.id}`);
  };

  const straightenFilm = (film: Film) => {
    setPhoto(film);
    go('/straighten');
  };

  const readAll = async (files: File[]): Promise<void> => {
    stopped.current = false;
    let batch: Batch = { done: 0, all: files.length, stopped: false, kept: 'kept' };
    setBatch(batch);
    go('/batch');
    for (const file of files) {
      const read = await assistant.readFile(file, operatingPoint);
      if (files.length === 1) return goTo(read);
      // A reading that is neither shown nor kept would be lost: the batch ends there, and says why.
      const { kept } = read;
      const done = batch.done + Number(kept === 'kept');
      batch = { ...batch, kept, done, stopped: stopped.current || kept !== 'kept' };
      setBatch(batch);
      if (batch.stopped) return;
    }
  };

  return {
    current,
    batch,
    photo,
    show: setCurrent,
    busy: () => reading.current,
    stop: () => {
      stopped.current = true;
    },
    straightenFilm,
    readFilm: async (film: Film) => {
      const again = current?.film && current.film.name === film.name ? current.reading : undefined;
      goTo(await assistant.readFilm(film, operatingPoint, undefined, again));
    },
    read: async (files: File[], photographed = false) => {
      if (files.length === 0) return;
      // Two batches at once would mix: the one under way is shown, and can be stopped.
      if (reading.current) return go('/batch');
      void navigator.storage?.persist?.();
      if (photographed && files.length === 1) {
        try {
          const film = await assistant.client.decode(files[0], files[0].name);
          setCurrent(null);
          return straightenFilm(film);
        } catch {
          // Reading it says why it cannot be opened.
        }
      }
      reading.current = true;
      try {
        await readAll(files);
      } finally {
        reading.current = false;
      }
    },
  };
}
