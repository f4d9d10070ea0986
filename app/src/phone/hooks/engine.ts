import { useEffect, useState } from 'preact/hooks';
import type { ReaderClient, WorkerError } from '../../reader/client';
import { settled } from '../offline/register';
import type { Engine } from '../state';

/** The reader, opened as soon as its file is on the device; `open` tries again. */
export function useEngine(client: ReaderClient): { engine: Engine; open: () => void } {
  const [engine, setEngine] = useState<Engine>({ state: 'opening' });
  const open = () => {
    setEngine({ state: 'opening' });
    settled((loaded) => setEngine({ state: 'opening', loaded }))
      .then(() => client.open())
      .then(
        ({ card, threads }) => setEngine({ state: 'ready', card, threads }),
        (error: WorkerError) => setEngine({ state: 'failed', code: error.codes[0], message: error.message }),
      );
  };
  useEffect(open, [client]);
  return { engine, open };
}
