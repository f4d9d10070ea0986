import type { Side } from '../contract/judge';
import type { Status } from '../contract/names';
import { type FullRange, unpacked } from '../film/full_range';

/** What the server says of itself and of who is logged in. */
export interface Session {
  site: string;
  /** Of the user, or of the site while nobody is logged in. */
  language: 'en' | 'ar';
  user: string | null;
  name: string;
  role: 'administrator' | 'clinician' | 'viewer';
  csrf: string;
  must_change_password: boolean;
}

export type Agreement = 'agree' | 'disagree' | 'unsure';

export interface Row {
  id: number;
  status: Status | 'waiting';
  probability: number | null;
  review: 'open' | 'split' | Agreement;
  on_worklist: boolean;
  age_years: number | null;
  sex: string;
  patient: string;
  date: string;
  view: string;
  origin: string;
  arrived_at: string;
  conflict: boolean;
  looking: string[];
  verdicts: { by: string; agreement: Agreement }[];
}

export interface Page {
  rows: Row[];
  page: number;
  pages: number;
  statuses: Record<string, number>;
  views: Record<string, number>;
}

interface Table {
  size: [number, number];
  values: number[];
}

interface FilmReading {
  id: number;
  status: Status;
  probability: number | null;
  /** Missing in readings by a reader that does not tell the lungs apart. */
  side?: Side | null;
  right_lung?: number | null;
  left_lung?: number | null;
  abnormal?: number | null;
  operating_point: string;
  threshold: number;
  codes: string[];
  reasons: string[];
  warnings: [string, string][];
  reader: string;
  read_at: string;
  elapsed_ms: number;
  heatmap_reference: number;
  heatmap: Table | null;
  lungs: Table | null;
}

export interface Verdict {
  id: number;
  reading: number;
  by: string;
  user: string;
  agreement: Agreement;
  note: string;
  diagnosis: '' | 'positive' | 'negative';
  diagnosis_words: string;
  amends: number | null;
  signed_at: string;
}

export interface Film extends Row {
  name: string;
  accession_number: string;
  available: boolean;
  reading: FilmReading | null;
  history: Verdict[];
  priors: Row[];
  deliveries: { destination: string; kind: string; state: string; why: string }[];
}

/** A call that was refused; `code` has words in every language. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly facts: Record<string, any> = {},
  ) {
    super(code);
  }
}

let csrf = '';
let onEnded: () => void = () => undefined;

/** What every change repeats, and what to do when the session is over. */
export function useToken(token: string, ended: () => void): void {
  csrf = token;
  onEnded = ended;
}

/** @throws Refused, with the code `network` where no answer came. */
export async function call<T>(method: string, address: string, body?: unknown): Promise<T> {
  const response = await sent(
    fetch(address, {
      method,
      headers: {
        ...(method === 'GET' ? {} : { 'x-csrf-token': csrf }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    }),
  );
  return content(response);
}

/** A film's values before its window. @throws Refused, with the code `no_values` where its picture shows them all. */
export async function fullRange(film: number): Promise<FullRange> {
  const response = await sent(fetch(`/api/films/${film}/values`));
  if (response.ok) return unpacked(await sent(response.arrayBuffer()));
  return content(response);
}

async function content<T>(response: Response): Promise<T> {
  return answered(response.status, await sent(response.text()), response.headers.get('content-type') ?? '');
}

function sent<T>(pending: Promise<T>): Promise<T> {
  return pending.catch(() => {
    throw new Refused(0, 'network');
  });
}

function answered<T>(status: number, text: string, kind: string): T {
  const json = /json/.test(kind) ? JSON.parse(text) : null;
  if (status >= 200 && status < 300 && json !== null) return json as T;
  // Not one of this server's own refusals: something between the two answered.
  if (!json?.error) throw new Refused(status, status === 413 ? 'proxy' : status ? 'unexpected' : 'network');
  if (json.error === 'login') onEnded();
  throw new Refused(status, json.error, json);
}

/** Send one file; `progress` is called with the share that was sent. */
export function upload(file: File, progress: (share: number) => void): Promise<{ film: number; new: boolean }> {
  return new Promise((done, failed) => {
    // fetch reports nothing about what was sent.
    const request = new XMLHttpRequest();
    request.open('POST', '/api/films');
    request.setRequestHeader('x-csrf-token', csrf);
    request.setRequestHeader('x-file-name', encodeURIComponent(file.name));
    request.setRequestHeader('content-type', 'application/octet-stream');
    request.upload.onprogress = (event) => progress(event.loaded / Math.max(1, event.total));
    request.onerror = () => failed(new Refused(0, 'network'));
    request.onload = () => {
      try {
        done(answered(request.status, request.responseText, request.getResponseHeader('content-type') ?? ''));
      } catch (error) {
        failed(error);
      }
    };
    request.send(file);
  });
}
