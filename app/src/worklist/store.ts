import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import { type KeptFilm, type Reading, upgraded } from './reading';
import { type Sealed, Vault, type VaultRecord } from './vault';

/** The most readings kept on one device. */
export const LIMIT = 500;

interface Row<T> {
  id: string;
  /** In the clear, so that old rows are wiped while the worklist is locked. */
  readAt: number;
  value?: T;
  sealed?: Sealed;
}

interface Schema extends DBSchema {
  readings: { key: string; value: Row<Reading> };
  films: { key: string; value: Row<KeptFilm> };
  settings: { key: string; value: unknown };
}

export class WorklistFull extends Error {}
export class Locked extends Error {}

/** The readings on this device. Sealed while a PIN is set; then nothing is read or written until it is unlocked. */
export class Worklist {
  private vault: Vault | null = null;
  private record: VaultRecord | null = null;

  private constructor(private readonly database: IDBPDatabase<Schema>) {}

  static async open(name = 'ai-for-sudan'): Promise<Worklist> {
    const database = await openDB<Schema>(name, 1, {
      upgrade(db) {
        db.createObjectStore('readings', { keyPath: 'id' });
        db.createObjectStore('films', { keyPath: 'id' });
        db.createObjectStore('settings');
      },
    });
    const worklist = new Worklist(database);
    worklist.record = ((await database.get('settings', 'vault')) as VaultRecord | undefined) ?? null;
    return worklist;
  }

  get hasPin(): boolean {
    return this.record !== null;
  }

  get locked(): boolean {
    return this.record !== null && this.vault === null;
  }

  /**
   * Keep a reading, in place of the one with the same id if there is one.
   *
   * @throws WorklistFull, Locked, or the browser's QuotaExceededError
   */
  async add(reading: Reading, film: KeptFilm | null): Promise<void> {
    const { id, readAt } = reading;
    const known = (await this.database.getKey('readings', id)) !== undefined;
    if (!known && (await this.database.count('readings')) >= LIMIT) throw new WorklistFull();
    const row = await this.row(id, readAt, reading);
    const filmRow = film && (await this.row(id, readAt, film));
    const change = this.database.transaction(['readings', 'films'], 'readwrite');
    const films = change.objectStore('films');
    await Promise.all([
      change.objectStore('readings').put(row),
      filmRow ? films.put(filmRow) : films.delete(id),
      change.done,
    ]);
  }

  /**
   * Keep readings of another device, all or none; one that is known here is left as it is here.
   *
   * @returns how many were new
   * @throws WorklistFull, Locked, or the browser's QuotaExceededError
   */
  async addAll(readings: readonly Reading[]): Promise<number> {
    const known = new Set(await this.database.getAllKeys('readings'));
    const fresh = [...new Map(readings.map((reading) => [reading.id, reading])).values()].filter(
      ({ id }) => !known.has(id),
    );
    if (known.size + fresh.length > LIMIT) throw new WorklistFull();
    const rows = await Promise.all(fresh.map((reading) => this.row(reading.id, reading.readAt, reading)));
    const change = this.database.transaction('readings', 'readwrite');
    await Promise.all([...rows.map((row) => change.store.put(row)), change.done]);
    return fresh.length;
  }

  async update(reading: Reading): Promise<void> {
    await this.database.put('readings', await this.row(reading.id, reading.readAt, reading));
  }

  /** How many readings are kept; also while locked. */
  count(): Promise<number> {
    return this.database.count('readings');
  }

  async all(): Promise<Reading[]> {
    return Promise.all((await this.database.getAll('readings')).map(async (row) => upgraded(await this.value(row))));
  }

  async get(id: string): Promise<Reading | undefined> {
    const row = await this.database.get('readings', id);
    return row && upgraded(await this.value(row));
  }

  async film(id: string): Promise<KeptFilm | undefined> {
    const row = await this.database.get('films', id);
    return row && this.value(row);
  }

  async delete(ids: readonly string[]): Promise<void> {
    const change = this.database.transaction(['readings', 'films'], 'readwrite');
    for (const id of ids) {
      void change.objectStore('readings').delete(id);
      void change.objectStore('films').delete(id);
    }
    await change.done;
  }

  /** Delete readings older than `days`; works while locked. 0 keeps them for ever. */
  async wipeOlderThan(days: number, now = Date.now()): Promise<number> {
    if (days <= 0) return 0;
    const rows = await this.database.getAll('readings');
    const old = rows.filter((row) => row.readAt < now - days * 86_400_000).map((row) => row.id);
    if (old.length > 0) await this.delete(old);
    return old.length;
  }

  async wipe(): Promise<void> {
    const change = this.database.transaction(['readings', 'films'], 'readwrite');
    await Promise.all([change.objectStore('readings').clear(), change.objectStore('films').clear(), change.done]);
  }

  // The PIN

  /** @throws WrongPin */
  async unlock(pin: string): Promise<void> {
    if (this.record) this.vault = await Vault.unlock(this.record, pin);
  }

  lock(): void {
    this.vault = null;
  }

  /** Set the PIN, sealing all that is kept, or change it. */
  async setPin(pin: string): Promise<void> {
    if (this.locked) throw new Locked();
    if (this.vault) {
      this.record = await this.vault.wrap(pin);
      await this.database.put('settings', this.record, 'vault');
      return;
    }
    const { vault, record } = await Vault.create(pin);
    await this.rewrite(vault, record);
  }

  async removePin(): Promise<void> {
    if (this.locked) throw new Locked();
    await this.rewrite(null, null);
  }

  /** The PIN is forgotten: nothing can be opened, so all goes. */
  async startAgain(): Promise<void> {
    await this.wipe();
    await this.database.delete('settings', 'vault');
    this.vault = this.record = null;
  }

  /** Seal or unseal every row, and the vault's record, in one transaction: a crash leaves all or nothing changed. */
  private async rewrite(vault: Vault | null, record: VaultRecord | null): Promise<void> {
    const readings = await this.database.getAll('readings');
    const films = await this.database.getAll('films');
    const values = [
      await Promise.all(readings.map((row) => this.value(row))),
      await Promise.all(films.map((row) => this.value(row))),
    ] as const;
    this.vault = vault;
    this.record = record;
    const newReadings = await Promise.all(readings.map((row, i) => this.row(row.id, row.readAt, values[0][i])));
    const newFilms = await Promise.all(films.map((row, i) => this.row(row.id, row.readAt, values[1][i])));
    const change = this.database.transaction(['readings', 'films', 'settings'], 'readwrite');
    for (const row of newReadings) void change.objectStore('readings').put(row);
    for (const row of newFilms) void change.objectStore('films').put(row);
    void (record
      ? change.objectStore('settings').put(record, 'vault')
      : change.objectStore('settings').delete('vault'));
    await change.done;
  }

  private async row<T>(id: string, readAt: number, value: T): Promise<Row<T>> {
    if (this.locked) throw new Locked();
    return this.vault ? { id, readAt, sealed: await this.vault.seal(value) } : { id, readAt, value };
  }

  private async value<T>(row: Row<T>): Promise<T> {
    if (!row.sealed) return row.value as T;
    if (!this.vault) throw new Locked();
    return this.vault.unseal<T>(row.sealed);
  }
}
