import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Assistant, Case, Kept } from './assistant';
import type { Film } from '../film/film';
import type { Card } from '../contract/card';
import type { Status } from '../contract/judge';
import type { Settings } from './settings';
import type { Worklist } from '../worklist/store';

/** Whether the reader can read. */
export type Engine =
  /** `loaded`: the share of a first visit that has come. */
  | { state: 'opening'; loaded?: number }
  | { state: 'ready'; card: Card; threads: number }
  | { state: 'failed'; code: string; message: string };

export interface Batch {
  /** Films that were read and kept. */
  done: number;
  all: number;
  /** Photos that are straightened by hand before they are read. */
  waiting: number;
  counts: Partial<Record<Status, number>>;
  over: boolean;
  stopped: boolean;
  /** Whether the page was loaded again before the batch was over: the films that were left went with the page. */
  lost: boolean;
  /** Whether the last reading was kept. */
  kept: Kept;
}

/** What every screen may use. */
export interface AppState {
  assistant: Assistant;
  engine: Engine;
  settings: Settings;
  worklist: Worklist | null;
  /** The case on the screen. */
  current: Case | null;
  batch: Batch | null;
  /** A photo on its way through the straightening screen. */
  photo: Film | null;
  /** How many photos of a batch wait to be straightened. */
  photos: number;
  /** A single film is being opened or read: the screen waits. */
  opening: boolean;
  nextPhoto: () => Promise<void>;
  offlineReady: boolean;
  change: (settings: Partial<Settings>) => void;
  read: (files: File[], photographed?: boolean) => Promise<void>;
  /** `photo`: what the film was taken from. */
  readFilm: (film: Film, photo?: Film | null) => Promise<void>;
  straightenFilm: (film: Film) => void;
  /** Put a case on the screen, where the user is. */
  show: (shown: Case | null) => void;
  lock: () => void;
  /** Draw every screen again: the lock of the worklist has changed. */
  redraw: () => void;
  stop: () => void;
  retry: () => void;
}

export const AppContext = createContext<AppState | null>(null);

export function useAppState(): AppState {
  return useContext(AppContext)!;
}

/** What is known of the reader; null until it is open. */
export function cardOf({ engine }: AppState): Card | null {
  return engine.state === 'ready' ? engine.card : null;
}

export const go = (address: string): void => {
  location.hash = address;
};

/** Go where nothing is to be seen here: Back does not lead to this place again. */
export const goInstead = (address: string): void => location.replace(`#${address}`);

const BATCH = 'batch';

/** The batch outlives a refresh of the page, as counts; what it had not read by then is lost. */
export function keepBatch(batch: Batch): void {
  try {
    sessionStorage.setItem(BATCH, JSON.stringify(batch));
  } catch {
    // Storage is full or forbidden: the batch lasts as long as the page.
  }
}

/** The last batch of this window, or null. */
export function keptBatch(): Batch | null {
  try {
    const batch = JSON.parse(sessionStorage.getItem(BATCH) ?? 'null') as Batch | null;
    return batch && { ...batch, lost: batch.lost || !batch.over || batch.waiting > 0, over: true };
  } catch {
    return null;
  }
}
