declare module '@reader?url' {
  const address: string;
  export default address;
}

declare module '@cornerstonejs/*?url' {
  const address: string;
  export default address;
}

declare module '@cornerstonejs/codec-charls/decodewasmjs' {
  const start: (options: { locateFile: () => string }) => Promise<any>;
  export default start;
}

declare module '@cornerstonejs/codec-openjpeg/decodewasmjs' {
  const start: (options: { locateFile: () => string }) => Promise<any>;
  export default start;
}

declare module 'jpeg-lossless-decoder-js' {
  export class Decoder {
    decompress(buffer: ArrayBuffer, offset?: number, length?: number): ArrayBuffer;
  }
}
