import type { Card } from '../contract/card';
import { kindOf } from '../contract/codes';
import { OUTLINE_AT } from '../contract/colours';
import { type Film, inverted, toImageData } from '../film/film';
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
  /** The photo that the film was taken from; null where the file is the film. */
  photo: Film | null;
  /** Whether a film that was refused as a negative is still refused with black and white turned. */
  stillNegative: boolean;
}

/** How a film came to be read. */
export interface Origin {
  /** The photo that it was taken from. */
  photo?: Film | null;
  /** The reading that it replaces, of a film that was rotated, inverted or straightened. */
  again?: Reading;
}

/** The code of a film of which black and white are turned. */
const NEGATIVE = 'negative';

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
      const reading = await this.failed(file.name, error, operatingPoint, began);
      return {
        reading,
        film: null,
        picture: null,
        photo: null,
        stillNegative: false,
        kept: await this.keep(reading, null),
      };
    }
  }

  /** Read a decoded film and keep the reading. Never throws, as `readFile`. */
  async readFilm(
    film: Film,
    operatingPoint: string | null,
    began = performance.now(),
    { photo = null, again }: Origin = {},
  ): Promise<Case> {
    let reading: Reading;
    let picture: KeptFilm | null = null;
    let stillNegative = false;
    try {
      const { card } = await this.client.open();
      const outputs = await this.client.read(film);
      reading = { ...readingOf(card, film, outputs, operatingPoint), elapsedMs: Math.round(performance.now() - began) };
      if (reading.codes.includes(NEGATIVE)) {
        const turned = readingOf(card, film, await this.client.read(inverted(film)), operatingPoint);
        stillNegative = turned.status === 'refused';
      }
      picture = await pictureOf(film, outputs);
    } catch (error) {
      reading = await this.failed(film.name, error, operatingPoint, began);
    }
    if (again) {
      const { id, patient, age, note } = again;
      reading = { ...reading, id, patient, note };
      if (age !== null) reading = withAge(reading, await this.card(), age);
    }
    return { reading, film, picture, photo, stillNegative, kept: await this.keep(reading, picture) };
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
      notSeenBelow: card?.operatingPoints[point]?.not_seen_below ?? 0,
      suspectedFrom: card?.operatingPoints[point]?.suspected_from ?? 0,
      codes,
      reasons: codes.map((code) => reasonText(code)),
      reader: card?.title ?? '',
      elapsedMs: Math.round(performance.now() - began),
    };
  }

  private async keep(reading: Reading, picture: KeptFilm | null): Promise<Kept> {
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
