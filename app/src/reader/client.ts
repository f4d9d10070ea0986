import type { Corners, Film } from '../film/film';
import type { Card } from '../contract/card';
import type { Outputs } from '../contract/judge';
import type { Answer, Call, Request } from './protocol';

/** Why the worker could not do what was asked; `codes` are short, stable words. */
export class WorkerError extends Error {
  constructor(
    readonly codes: readonly string[],
    message: string,
  ) {
    super(message);
  }
}

interface Waiting {
  resolve: (value: any) => void;
  reject: (error: WorkerError) => void;
}

/** How long one request may take before the worker is held for hung, in milliseconds. */
const PATIENCE = 90_000;

/** The page's side of the reader's worker. A worker that dies is started again; what it was doing fails with code `crashed`. */
export class ReaderClient {
  private worker: Worker | null = null;
  private waiting = new Map<number, Waiting>();
  private next = 0;
  private opening: Promise<{ card: Card; threads: number }> | null = null;

  constructor(
    private readonly start: () => Worker = () =>
      new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'reader' }),
    private readonly patience = PATIENCE,
  ) {}

  /** Open the reader and run its self-test; once, until the worker dies. */
  open(threads?: number): Promise<{ card: Card; threads: number }> {
    this.opening ??= this.ask<{ card: Card; threads: number }>({ kind: 'open', threads }).catch((error) => {
      this.opening = null;
      throw error;
    });
    return this.opening;
  }

  decode(file: Blob, name: string): Promise<Film> {
    return this.ask({ kind: 'decode', file, name });
  }

  async read(film: Film): Promise<Outputs> {
    await this.open();
    return this.ask({ kind: 'read', film });
  }

  corners(film: Film): Promise<Corners> {
    return this.ask({ kind: 'corners', film });
  }

  straighten(film: Film, corners: Corners): Promise<Film> {
    return this.ask({ kind: 'straighten', film, corners });
  }

  /** Ends the worker; the next request starts another. */
  stop(reason = 'the reader stopped'): void {
    this.worker?.terminate();
    this.worker = null;
    this.opening = null;
    for (const { reject } of this.waiting.values()) reject(new WorkerError(['crashed'], reason));
    this.waiting.clear();
  }

  private ask<T>(request: Request): Promise<T> {
    const worker = (this.worker ??= this.begin());
    const id = this.next++;
    return new Promise<T>((resolve, reject) => {
      const clock = setTimeout(() => this.stop('the reader did not answer'), this.patience);
      this.waiting.set(id, {
        resolve: (value) => (clearTimeout(clock), resolve(value)),
        reject: (error) => (clearTimeout(clock), reject(error)),
      });
      worker.postMessage({ ...request, id } satisfies Call);
    });
  }

  private begin(): Worker {
    const worker = this.start();
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const waiting = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if (!waiting) return;
      if ('codes' in data) waiting.reject(new WorkerError(data.codes, data.message));
      else waiting.resolve(data.value);
    };
    worker.onerror = (event) => this.stop(event.message || 'the reader stopped');
    worker.onmessageerror = () => this.stop('the reader answered nonsense');
    return worker;
  }
}
