import type { Reading } from '../../worklist/reading';
import type { Worklist } from '../../worklist/store';

/** What a phone keeps of its pairing. The token can send, and read nothing: not even what was sent. */
export interface Link {
  token: string;
  site: string;
  user: string;
  /** The server knows this phone no more. */
  ended: boolean;
}

export interface Progress {
  sent: number;
  all: number;
  state: 'sent' | 'waiting' | 'locked' | 'ended';
}

const LINK = 'clinic.link';
/** Reading -> digest of what the server has of it. No code and no note: the worklist may be sealed with a PIN. */
const SENT = 'clinic.sent';

const kept = <T>(key: string): T | null => JSON.parse(localStorage.getItem(key) ?? 'null');
const keep = (key: string, value: unknown) => localStorage.setItem(key, JSON.stringify(value));

export const linkOf = (): Link | null => kept<Link>(LINK);

export function part(): void {
  localStorage.removeItem(LINK);
  localStorage.removeItem(SENT);
}

/** Accept an invitation. @returns why not, or null */
export async function pair(code: string, name: string): Promise<'invitation' | 'network' | null> {
  try {
    const response = await post('/api/phone', { code, name });
    if (!response.ok) return response.status === 403 ? 'invitation' : 'network';
    const { token, site, user } = await response.json();
    part();
    keep(LINK, { token, site, user, ended: false });
    return null;
  } catch {
    return 'network';
  }
}

let running: Promise<Progress> | null = null;

/** Send what the server does not have yet. Never twice at once; stops where the network does, and goes on there later. */
export function send(worklist: Worklist): Promise<Progress> {
  running ??= sendAll(worklist).finally(() => (running = null));
  return running;
}

async function sendAll(worklist: Worklist): Promise<Progress> {
  const link = linkOf();
  const sent = kept<Record<string, string>>(SENT) ?? {};
  if (!link || link.ended) return { sent: 0, all: 0, state: 'ended' };
  if (worklist.locked) return { sent: 0, all: 0, state: 'locked' };
  const readings = await worklist.all();
  const progress: Progress = { sent: 0, all: 0, state: 'sent' };
  let away = false;
  for (const reading of readings.sort((a, b) => a.readAt - b.readAt)) {
    const film = await worklist.film(reading.id).catch(() => undefined);
    if (!film) continue; // nothing was decoded: there is nothing to send
    progress.all++;
    const fingerprint = await digest(reading, film.picture);
    if (sent[reading.id] === fingerprint) {
      progress.sent++;
      continue;
    }
    if (away) continue;
    try {
      const response = await post('/api/phone/films', message(reading, film.picture), link.token);
      if (response.status === 401) {
        keep(LINK, { ...link, ended: true });
        progress.state = 'ended';
        away = true;
      } else if (!response.ok) {
        // One film that the server refuses does not hold up the others; a server in trouble is left alone for now.
        progress.state = 'waiting';
        away = response.status >= 500 || response.status === 429;
      }
      // A verdict is signed once the server has read the film itself: until then it is sent again.
      else if ((await response.json()).signed) {
        sent[reading.id] = fingerprint;
        keep(SENT, sent);
        progress.sent++;
      } else progress.state = 'waiting';
    } catch {
      progress.state = 'waiting';
      away = true;
    }
  }
  return progress;
}

const message = (reading: Reading, picture: string) => ({
  id: reading.id,
  read_at: new Date(reading.readAt).toISOString(),
  picture: picture.slice(picture.indexOf(',') + 1),
  file: '',
  patient: reading.patient,
  age: reading.age,
  note: reading.note,
  verdict: reading.verdict,
  reference: reading.reference,
});

async function digest(reading: Reading, picture: string): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(message(reading, picture)));
  const found = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(found.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const post = (address: string, body: unknown, token?: string) =>
  fetch(address, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    // The token speaks for this phone; a session of a browser on the same device must not.
    credentials: 'omit',
    body: JSON.stringify(body),
  });
