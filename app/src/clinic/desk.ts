import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Card } from '../contract/card';
import { Server, type Session } from './api';

/** Who is here, and what reads. */
export interface Desk {
  session: Session;
  card: Card;
}

export const DeskContext = createContext<Desk | null>(null);
export const useDesk = (): Desk => useContext(DeskContext)!;

export const ServerContext = createContext(new Server());
export const useServer = (): Server => useContext(ServerContext);
