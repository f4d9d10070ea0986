/** What a header leaves out of Image Pixel (PS3.3 C.7.6.3, table C.7-11a), as the rest of the file suggests it. */
import type { DataSet } from 'dicom-parser';
import { type Remark, remark } from '../../contract/codes';
import { text, word, words } from './elements';
import { type Size, TAG } from './header';

export interface Layout {
  samples: number;
  photometric: string;
  /** Whether each colour has a plane of its own. */
  planes: boolean;
  allocated: number;
}

/** How the pixels are laid out; `header_incomplete` with the names of the elements that are missing. */
export function layoutOf(header: DataSet, { width, height }: Size): { layout: Layout; remarks: Remark[] } {
  const coloured = /^(RGB|YBR)/.test(text(header, TAG.photometric));
  const samples = word(header, TAG.samples, coloured ? 3 : 1);
  const pixels = header.elements[TAG.pixels];
  const each = Math.floor((8 * pixels.length) / Math.max(1, samples * width * height));
  const allocated = word(header, TAG.bitsAllocated, [8, 16, 32].includes(each) ? each : 16);
  const present = (tag: string) => words(header, tag).length > 0;
  const missing = [
    ['SamplesPerPixel', present(TAG.samples)],
    ['PhotometricInterpretation', text(header, TAG.photometric) !== ''],
    ['PlanarConfiguration', samples === 1 || present(TAG.planar)],
    ['BitsAllocated', present(TAG.bitsAllocated)],
    ['BitsStored', present(TAG.bitsStored)],
    ['PixelRepresentation', present(TAG.signed)],
  ].flatMap(([keyword, there]) => (there ? [] : [keyword]));
  return {
    layout: {
      samples,
      photometric: text(header, TAG.photometric) || (samples === 1 ? 'MONOCHROME2' : 'RGB'),
      planes: word(header, TAG.planar, 0) === 1,
      allocated,
    },
    remarks: missing.length > 0 ? [remark('header_incomplete', { elements: missing.join(', ') })] : [],
  };
}
