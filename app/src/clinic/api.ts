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

/** Whose film it is, as people say it. */
export interface Named {
  number?: string;
  name?: string;
  birth_date?: string;
  sex?: '' | 'F' | 'M';
  age_years?: number | null;
}

export interface Row {
  id: number;
  status: Status | 'waiting';
  /** The lung that the status speaks of. */
  side: Side | null;
  /** Codes for which a person must look at once. */
  at_once: string[];
  codes: string[];
  available: boolean;
  name: string;
  time: string;
  accession_number: string;
  file_name: string;
  /** Whose it is: `unknown`, `sent`, `contradicted` or `signed`. */
  identity: string;
  /** Whether the same person has a film that was made later, or earlier. */
  later: boolean;
  earlier: boolean;
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
  /** Films since the moment that was asked for: those to be read, disputed, to be looked at at once. */
  shift: { unread: number; disputed: number; at_once: number };
  contradictions: number;
}

interface Table {
  size: [number, number];
  values: number[];
}

interface FilmReading {
  id: number;
  status: Status;
  probability: number | null;
  /** Null of a reader that does not tell the lungs apart. */
  side: Side | null;
  right_lung: number | null;
  left_lung: number | null;
  abnormal: number | null;
  operating_point: string;
  not_seen_below: number;
  suspected_from: number;
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
  site: string;
  birth_date: string;
  reading: FilmReading | null;
  history: Verdict[];
  priors: Row[];
  /** Results that a PACS keeps under an identity that a person has corrected since. */
  misfiled: { destination: string; kind: string; uid: string }[];
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

/** The server of this page, for one session: every change repeats `csrf`; `ended` is called when the session is over. */
export class Server {
  constructor(
    private readonly csrf = '',
    private readonly ended: () => void = () => undefined,
  ) {}

  /** @throws Refused, with the code `network` where no answer came. */
  async call<T>(method: string, address: string, body?: unknown): Promise<T> {
    const response = await sent(
      fetch(address, {
        method,
        headers: {
          ...(method === 'GET' ? {} : { 'x-csrf-token': this.csrf }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      }),
    );
    return this.content(response);
  }

  /** A film's values before its window. @throws Refused, with `no_values` where its picture shows them all. */
  async fullRange(film: number): Promise<FullRange> {
    const response = await sent(fetch(`/api/films/${film}/values`));
    if (response.ok) return unpacked(await sent(response.arrayBuffer()));
    return this.content(response);
  }

  /** Send one file with what is known of its patient; `progress` is called with the share that was sent. */
  upload(file: File, known: Named, progress: (share: number) => void): Promise<{ film: number; new: boolean }> {
    return new Promise((done, failed) => {
      // fetch reports nothing about what was sent.
      const request = new XMLHttpRequest();
      request.open('POST', '/api/films');
      request.setRequestHeader('x-csrf-token', this.csrf);
      request.setRequestHeader('x-file-name', encodeURIComponent(file.name));
      request.setRequestHeader('x-patient', encodeURIComponent(JSON.stringify(known)));
      request.setRequestHeader('content-type', 'application/octet-stream');
      request.upload.onprogress = (event) => progress(event.loaded / Math.max(1, event.total));
      request.onerror = () => failed(new Refused(0, 'network'));
      request.onload = () => {
        try {
          const kind = request.getResponseHeader('content-type') ?? '';
          done(this.answered(request.status, request.responseText, kind));
        } catch (error) {
          failed(error);
        }
      };
      request.send(file);
    });
  }

  private async content<T>(response: Response): Promise<T> {
    return this.answered(response.status, await sent(response.text()), response.headers.get('content-type') ?? '');
  }

  private answered<T>(status: number, text: string, kind: string): T {
    const json = /json/.test(kind) ? JSON.parse(text) : null;
    if (status >= 200 && status < 300 && json !== null) return json as T;
    // Not one of this server's own refusals: something between the two answered.
    if (!json?.error) throw new Refused(status, status === 413 ? 'proxy' : status ? 'unexpected' : 'network');
    if (json.error === 'login') this.ended();
    throw new Refused(status, json.error, json);
  }
}

function sent<T>(pending: Promise<T>): Promise<T> {
  return pending.catch(() => {
    throw new Refused(0, 'network');
  });
}
