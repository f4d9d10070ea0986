import type { Card } from '../contract/card';
import { kindOf } from '../contract/codes';
import { OUTLINE_AT } from '../contract/colours';
import { type Film, toImageData } from '../film/film';
import { type ReaderClient, WorkerError } from '../reader/client';
import type { Outputs } from '../contract/judge';
import { outlines } from '../reader/outline';
import { blank, type KeptFilm, type Reading, readingOf, reasonText, withAge } from '../worklist/reading';
import { Locked, type Worklist, WorklistFull } from '../worklist/store';

/** Whether a reading was kept on the device, and if not, why. */
export type Kept = 'kept' | 'full' | 'storage_full' | 'unavailable' | 'locked';

/** A reading with what is needed to show it. `film` is the original, as long as it is in memory. */
export interface Case {
  reading: Reading;
  film: Film | null;
  picture: KeptFilm | null;
  kept: Kept;
}

/** Side, in pixels, of the picture that is kept of a film. */
const KEPT_SIDE = 640;

/** Reads films and keeps the readings. Knows nothing of the screen. */
export class Assistant {
  constructor(
    readonly client: ReaderClient,
    readonly worklist: Worklist | null,
  ) {}

  /**
   * Read one file, or only decode it where it is a photo of a film, which is straightened first. Never throws: what goes
   * wrong is the reading's status `failed` and its code.
   */
  async readFile(file: File, operatingPoint: string | null, photographed = false): Promise<Case | Film> {
    const began = performance.now();
    try {
      await this.client.open();
      const film = await this.client.decode(file, file.name);
      return photographed || film.corners ? film : await this.readFilm(film, operatingPoint, began);
    } catch (error) {
      return this.keep(await this.failed(file.name, error, operatingPoint, began), null, null);
    }
  }

  /** Read a decoded film; `again` is the reading that it replaces, for a film rotated or straightened. */
  async readFilm(film: Film, operatingPoint: string | null, began = performance.now(), again?: Reading): Promise<Case> {
    let reading: Reading;
    let picture: KeptFilm | null = null;
    try {
      const { card } = await this.client.open();
      const outputs = await this.client.read(film);
      reading = { ...readingOf(card, film, outputs, operatingPoint), elapsedMs: Math.round(performance.now() - began) };
      picture = await pictureOf(film, outputs);
    } catch (error) {
      reading = await this.failed(film.name, error, operatingPoint, began);
    }
    if (again) {
      const { id, patient, age, note } = again;
      reading = { ...reading, id, patient, note };
      if (age !== null) reading = withAge(reading, await this.card(), age);
    }
    return this.keep(reading, film, picture);
  }

  private card(): Promise<Card | null> {
    return this.client.open().then(
      ({ card }) => card,
      () => null,
    );
  }

  private async failed(name: string, error: unknown, operatingPoint: string | null, began: number): Promise<Reading> {
    const card = await this.card();
    const point = operatingPoint ?? card?.defaultOperatingPoint ?? '';
    const codes = error instanceof WorkerError ? [...error.codes] : ['unexpected'];
    return {
      ...blank(name),
      status: kindOf(codes[0]) === 'refused' ? 'refused' : 'failed',
      probability: null,
      operatingPoint: point,
      threshold: card?.operatingPoints[point]?.suspected_from ?? 0,
      codes,
      reasons: codes.map((code) => reasonText(code)),
      reader: card?.title ?? '',
      elapsedMs: Math.round(performance.now() - began),
    };
  }

  private async keep(reading: Reading, film: Film | null, picture: KeptFilm | null): Promise<Case> {
    return { reading, film, picture, kept: await this.tryToKeep(reading, picture) };
  }

  private async tryToKeep(reading: Reading, picture: KeptFilm | null): Promise<Kept> {
    if (!this.worklist) return 'unavailable';
    try {
      await this.worklist.add(reading, picture);
      return 'kept';
    } catch (error) {
      if (error instanceof WorklistFull) return 'full';
      if (error instanceof Locked) return 'locked';
      return error instanceof DOMException && error.name === 'QuotaExceededError' ? 'storage_full' : 'unavailable';
    }
  }
}

/** The film as a small JPEG for the worklist, with its heatmap. */
async function pictureOf(film: Film, outputs: Outputs): Promise<KeptFilm> {
  const full = new OffscreenCanvas(film.width, film.height);
  full.getContext('2d')!.putImageData(toImageData(film), 0, 0);
  const scale = Math.min(1, KEPT_SIDE / Math.max(film.width, film.height));
  const small = new OffscreenCanvas(
    Math.max(1, Math.round(film.width * scale)),
    Math.max(1, Math.round(film.height * scale)),
  );
  const context = small.getContext('2d')!;
  context.imageSmoothingQuality = 'high';
  context.drawImage(full, 0, 0, small.width, small.height);
  const jpeg = await small.convertToBlob({ type: 'image/jpeg', quality: 0.85 });
  const { heatmap, heatmapSize, lungs } = outputs;
  return {
    picture: await dataUrl(jpeg),
    heatmap: [...heatmap],
    heatmapSize,
    ...(lungs && { lungs: outlines(lungs.values, lungs.size, OUTLINE_AT) }),
  };
}

function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
