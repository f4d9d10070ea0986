/** The worker: decodes, straightens and reads films, so that the page never waits. */
import { decode } from '../film/decode';
import { UnreadableFilm } from '../film/film';
import { findCorners } from '../film/corners';
import { filmOf } from '../film/straighten';
import { NotAReader } from '../contract/card';
import type { Answer, Call } from './protocol';
import { Reader, SelfTestFailed } from './session';
import readerUrl from '@reader?url';

let reader: Reader | null = null;

async function fetchReader(): Promise<Uint8Array> {
  const response = await fetch(readerUrl);
  if (!response.ok) throw new NotAReader(`the server answered ${response.status} for the reader file`);
  if ((response.headers.get('content-type') ?? '').includes('text/html')) {
    throw new NotAReader('the server sent a page instead of the reader file');
  }
  return new Uint8Array(await response.arrayBuffer());
}

async function carryOut(call: Call): Promise<unknown> {
  switch (call.kind) {
    case 'open': {
      // Threads need SharedArrayBuffer; more than two gain little on a phone and heat it.
      const threads = call.threads ?? (crossOriginIsolated ? Math.min(2, navigator.hardwareConcurrency || 1) : 1);
      reader = await Reader.open(await fetchReader(), threads);
      return { card: reader.card, threads };
    }
    case 'decode':
      return decode(call.file, call.name);
    case 'read':
      if (!reader) throw new Error('the reader is not open');
      return reader.read(call.film.pixels, call.film.height, call.film.width);
    case 'corners':
      return findCorners(call.film);
    case 'straighten':
      return filmOf(call.film, call.corners);
  }
}

function codesOf(error: unknown): readonly string[] {
  if (error instanceof UnreadableFilm) return error.codes;
  if (error instanceof SelfTestFailed) return ['self_test'];
  if (error instanceof NotAReader) return ['not_a_reader'];
  return ['unexpected'];
}

self.onmessage = async ({ data: call }: MessageEvent<Call>) => {
  let answer: Answer;
  try {
    answer = { id: call.id, value: await carryOut(call) };
  } catch (error) {
    answer = { id: call.id, codes: codesOf(error), message: error instanceof Error ? error.message : String(error) };
  }
  self.postMessage(answer);
};
