import { useRef, useState } from 'preact/hooks';
import type { Film } from '../../film/film';
import type { Assistant, Case } from '../assistant';
import { type Batch, go, keepBatch, keptBatch } from '../state';

const isFilm = (read: Case | Film): read is Film => 'pixels' in read;

/** Films on their way from a file to a reading: one on the screen, a photo to be straightened, or a batch. */
export function useFilms(assistant: Assistant, operatingPoint: string | null) {
  const [current, setCurrent] = useState<Case | null>(null);
  const [batch, setBatch] = useState<Batch | null>(keptBatch);
  const [photo, setPhoto] = useState<Film | null>(null);
  /** Photos of a batch, which wait to be straightened. */
  const [photos, setPhotos] = useState<File[]>([]);
  const [opening, setOpening] = useState(false);
  const stopped = useRef(false);
  const reading = useRef(false);

  const showBatch = (batch: Batch) => {
    setBatch(batch);
    keepBatch(batch);
  };

  const goTo = (read: Case) => {
    setCurrent(read);
    go(`/reading/${read.reading.id}`);
  };

  const straightenFilm = (film: Film) => {
    setPhoto(film);
    go('/straighten');
  };

  const readOne = async (file: File, photographed: boolean): Promise<void> => {
    const read = await assistant.readFile(file, operatingPoint, photographed);
    if (!isFilm(read)) return goTo(read);
    setCurrent(null);
    straightenFilm(read);
  };

  const readAll = async (files: File[]): Promise<void> => {
    const waiting: File[] = [];
    let batch: Batch = {
      done: 0,
      all: files.length,
      waiting: 0,
      counts: {},
      over: false,
      stopped: false,
      lost: false,
      kept: 'kept',
    };
    showBatch(batch);
    go('/batch');
    for (const file of files) {
      const read = await assistant.readFile(file, operatingPoint);
      if (isFilm(read)) {
        waiting.push(file);
        batch = { ...batch, waiting: waiting.length };
      } else {
        const { kept, reading } = read;
        const counts = { ...batch.counts };
        // A reading that is neither shown nor kept would be lost: the batch ends there, and says why.
        if (kept === 'kept') counts[reading.status] = (counts[reading.status] ?? 0) + 1;
        batch = { ...batch, kept, counts, done: batch.done + Number(kept === 'kept') };
      }
      batch.stopped = stopped.current || batch.kept !== 'kept';
      showBatch(batch);
      if (batch.stopped) break;
    }
    showBatch({ ...batch, over: true });
    setPhotos(waiting);
  };

  const read = async (files: File[], photographed = false): Promise<void> => {
    if (files.length === 0) return;
    // Two batches at once would mix: the one under way is shown, and can be stopped.
    if (reading.current) return opening ? undefined : go('/batch');
    void navigator.storage?.persist?.();
    stopped.current = false;
    reading.current = true;
    try {
      setOpening(files.length === 1);
      await (files.length === 1 ? readOne(files[0], photographed) : readAll(files));
    } finally {
      setOpening(false);
      reading.current = false;
    }
  };

  return {
    current,
    batch,
    photo,
    photos: photos.length,
    opening,
    show: setCurrent,
    busy: () => reading.current,
    stop: () => {
      stopped.current = true;
    },
    straightenFilm,
    nextPhoto: () => {
      setPhotos(photos.slice(1));
      if (batch) showBatch({ ...batch, waiting: photos.length - 1 });
      return read(photos.slice(0, 1), true);
    },
    readFilm: async (film: Film, photo: Film | null = null) => {
      const again = current?.film && current.film.name === film.name ? current.reading : undefined;
      goTo(await assistant.readFilm(film, operatingPoint, undefined, { photo, again }));
    },
    read,
  };
}
