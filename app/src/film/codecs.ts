/** JPEG-LS and JPEG 2000 for DICOM films, loaded when such a film comes. */
import charls from '@cornerstonejs/codec-charls/decodewasmjs';
import charlsWasm from '@cornerstonejs/codec-charls/decodewasm?url';
import openjpeg from '@cornerstonejs/codec-openjpeg/decodewasmjs';
import openjpegWasm from '@cornerstonejs/codec-openjpeg/decodewasm?url';

interface Decoder {
  getEncodedBuffer(length: number): Uint8Array;
  decode(): void;
  getDecodedBuffer(): Uint8Array;
  getFrameInfo(): { bitsPerSample: number };
  delete(): void;
}

export interface Decoded {
  bytes: Uint8Array;
  bits: number;
}

function decoded(decoder: Decoder, frame: Uint8Array): Decoded {
  try {
    decoder.getEncodedBuffer(frame.length).set(frame);
    decoder.decode();
    return { bytes: decoder.getDecodedBuffer().slice(), bits: decoder.getFrameInfo().bitsPerSample };
  } finally {
    decoder.delete();
  }
}

export async function decodeJpegLs(frame: Uint8Array): Promise<Decoded> {
  const codec = await charls({ locateFile: () => charlsWasm });
  return decoded(new codec.JpegLSDecoder(), frame);
}

export async function decodeJpeg2000(frame: Uint8Array): Promise<Decoded> {
  const codec = await openjpeg({ locateFile: () => openjpegWasm });
  return decoded(new codec.J2KDecoder(), frame);
}
