/** A DICOM file as a film: what a workstation shows (PS3.3 C.11), bone white. The same steps as `radiographs/dicom`. */
import { type Film, MOST_PIXELS, UnreadableFilm } from '../film';
import { cellsOf } from './cells';
import { greyOfColours } from './colour';
import { layoutOf } from './defaults';
import { ageOf, checked, parsed, remarksOf } from './header';
import { pictureOf } from './picture';

/** @throws UnreadableFilm */
export async function decodeDicom(bytes: Uint8Array, name: string): Promise<Film> {
  const header = await parsed(bytes);
  const refusals = remarksOf(header);
  const about = { name, ageYears: ageOf(header), corners: null, refusals };
  try {
    const size = checked(header);
    const { layout, remarks } = layoutOf(header, size);
    const cells = await cellsOf(header, size, layout);
    const warnings = [...remarks, ...cells.remarks];
    if (cells.samples === 1) {
      const picture = pictureOf(cells.cells, size, header);
      return reduced({ ...about, ...size, pixels: picture.pixels, warnings: [...warnings, ...picture.remarks] });
    }
    if (cells.samples < 3) throw new UnreadableFilm('shape');
    return reduced({ ...about, ...size, pixels: greyOfColours(cells, size.width * size.height), warnings });
  } catch (error) {
    // A header that rules the film out is the reason, whatever its pixels are.
    if (refusals.length > 0) throw new UnreadableFilm(refusals.map((remark) => remark.code));
    if (error instanceof UnreadableFilm) throw error;
    throw new UnreadableFilm('truncated', String(error));
  }
}

/** A film of more pixels than a phone has memory for, reduced. */
function reduced(film: Film): Film {
  const factor = Math.ceil(Math.sqrt((film.width * film.height) / MOST_PIXELS));
  if (factor <= 1) return film;
  const width = Math.floor(film.width / factor);
  const height = Math.floor(film.height / factor);
  const pixels = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let v = 0; v < factor; v++) {
        for (let u = 0; u < factor; u++) sum += film.pixels[(y * factor + v) * film.width + x * factor + u];
      }
      pixels[y * width + x] = Math.round(sum / (factor * factor));
    }
  }
  return { ...film, width, height, pixels };
}
