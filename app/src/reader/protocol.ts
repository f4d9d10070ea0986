import type { Corners, Film } from '../film/film';

/** What the page asks of the worker. */
export type Request =
  | { kind: 'open'; threads?: number }
  | { kind: 'decode'; file: Blob; name: string }
  | { kind: 'read'; film: Film }
  | { kind: 'corners'; film: Film }
  | { kind: 'straighten'; film: Film; corners: Corners };

export type Call = Request & { id: number };

/** What the worker answers: a value, or codes and a message. */
export type Answer = { id: number; value: unknown } | { id: number; codes: readonly string[]; message: string };
