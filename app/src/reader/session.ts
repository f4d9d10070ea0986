import type { InferenceSession, Tensor } from 'onnxruntime-web/wasm';
import { type OwnCard, readCard } from '../contract/card';
import { LARGEST_INPUT, SMALLEST_INPUT } from '../contract/limits';
import { INPUT } from '../contract/names';
import { exposedField, mapOf, partOf } from '../contract/surround';
import { resized } from '../contract/resize';
import type { Outputs } from '../contract/judge';

type Runtime = typeof import('onnxruntime-web/wasm');

export class SelfTestFailed extends Error {}

/** A reader ready to read: the ONNX session and its card. Lives in a worker, never in the page or the service worker. */
export class Reader {
  private constructor(
    private readonly runtime: Runtime,
    private readonly session: InferenceSession,
    readonly card: OwnCard,
  ) {}

  /**
   * @param onnx bytes of a reader file
   * @param threads more than 1 needs SharedArrayBuffer (a cross-origin isolated page)
   * @throws NotAReader, or SelfTestFailed when this device computes other values than the card holds
   */
  static async open(onnx: Uint8Array, threads: number): Promise<Reader> {
    const card = readCard(onnx);
    // Imported late and so kept in a file of its own: its threads start by loading that file again.
    const runtime = await import('onnxruntime-web/wasm');
    runtime.env.wasm.numThreads = threads;
    runtime.env.logLevel = 'error';
    const session = await runtime.InferenceSession.create(onnx, {
      executionProviders: ['wasm'],
      graphOptimizationLevel: 'all',
      // Films differ in size: a pattern or an arena of the largest one would be kept for ever.
      enableMemPattern: false,
    });
    const reader = new Reader(runtime, session, card);
    await reader.selfTest();
    return reader;
  }

  /**
   * The outputs for the exposed field of a film; maps are in the frame of the film.
   *
   * @param pixels uint8, row by row, bone white, `height * width` of them
   */
  async read(pixels: Uint8Array<ArrayBuffer>, height: number, width: number): Promise<Outputs> {
    const field = exposedField(pixels, height, width);
    if (!field) return this.run(pixels, height, width);
    const found = await this.run(partOf(pixels, width, field), field.bottom - field.top, field.right - field.left);
    const heatmap = mapOf({ values: found.heatmap, size: found.heatmapSize }, field, { height, width });
    const lungs = found.lungs && mapOf(found.lungs, field, { height, width });
    return { ...found, heatmap: heatmap.values, heatmapSize: heatmap.size, lungs };
  }

  private async run(pixels: Uint8Array<ArrayBuffer>, height: number, width: number): Promise<Outputs> {
    const input = this.tensor(pixels, height, width);
    const outputs = (await this.session.run({ [INPUT]: input })) as Record<string, Tensor>;
    try {
      const values = (name: string) => Float32Array.from(outputs[name].data as Float32Array);
      const [, rows, columns] = outputs.heatmap.dims;
      const cells = rows * columns;
      const positive = this.card.classes.indexOf(this.card.positive);
      return {
        probability: values('probability'),
        logits: values('logits'),
        gate: outputs.gate ? values('gate') : new Float32Array(),
        heatmap: values('heatmap').slice(positive * cells, (positive + 1) * cells),
        heatmapSize: [rows, columns],
        embedding: values('embedding'),
        lungsProbability: outputs.lungs_probability ? ([...values('lungs_probability')] as [number, number]) : null,
        abnormal: outputs.abnormal ? values('abnormal')[0] : null,
        lungs: outputs.lungs
          ? { values: values('lungs'), size: outputs.lungs.dims.slice(-2) as [number, number] }
          : null,
      };
    } finally {
      input.dispose();
      for (const tensor of Object.values(outputs)) tensor.dispose();
    }
  }

  /** A film outside the sides that the reader file takes is resized; too small ones are refused all the same. */
  private tensor(pixels: Uint8Array<ArrayBuffer>, height: number, width: number): Tensor {
    const [rows, columns] = [height, width].map((side) => Math.min(Math.max(side, SMALLEST_INPUT), LARGEST_INPUT));
    if (rows === height && columns === width) return new this.runtime.Tensor('uint8', pixels, [height, width]);
    const within = resized(pixels, { width, height }, { width: columns, height: rows });
    return new this.runtime.Tensor('uint8', within, [rows, columns]);
  }

  private async selfTest(): Promise<void> {
    const test = this.card.selfTest;
    const outputs = await this.run(test.pixels, test.height, test.width);
    const heatmapSum = outputs.heatmap.reduce((sum, value) => sum + value, 0);
    const worst = Math.max(
      Math.abs(heatmapSum - test.heatmapSum) / Math.max(1, Math.abs(test.heatmapSum)),
      ...test.probability.map((expected, index) => Math.abs(expected - outputs.probability[index])),
      ...test.gate.map((expected, index) => Math.abs(expected - outputs.gate[index])),
      ...test.lungsProbability.map((expected, index) => Math.abs(expected - outputs.lungsProbability![index])),
      ...test.abnormal.map((expected) => Math.abs(expected - outputs.abnormal!)),
    );
    if (!(worst <= test.tolerance)) {
      throw new SelfTestFailed(`off by ${worst.toPrecision(2)}, allowed ${test.tolerance}`);
    }
  }
}
