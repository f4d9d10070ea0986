import { useEffect, useRef } from 'preact/hooks';
import { toImageData } from '../film/film';
import { BRIGHTEST, type FullRange, LEAST, SHARPEST, windowed, windowOf } from '../film/full_range';
import { useSpeech } from '../i18n';
import { type View, WHOLE } from './panning';

interface Adjusted {
  /** Per cent. */
  brightness: number;
  contrast: number;
}

/** All values of a film through a window of one's own. */
export function Windowed({ range, brightness, contrast, filter }: Adjusted & { range: FullRange; filter?: string }) {
  const there = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const canvas = there.current!;
    const { width, height } = range;
    const pixels = windowed(range, windowOf(range, brightness, contrast));
    canvas.width = width;
    canvas.height = height;
    canvas.getContext('2d')!.putImageData(toImageData({ pixels, width, height }), 0, 0);
  }, [range, brightness, contrast]);
  return <canvas ref={there} class="windowed" style={{ filter }} />;
}

interface ZoomProps {
  view: View;
  zoom: (factor: number) => void;
  change: (next: (view: View) => View) => void;
}

/** Buttons to enlarge a film and to see all of it again. */
export function Zoom({ view, zoom, change }: ZoomProps) {
  const { t } = useSpeech();
  return (
    <div class="zoom" onPointerDown={(event) => event.stopPropagation()}>
      <button aria-label={t.viewer.zoomIn} onClick={() => zoom(1.5)}>
        +
      </button>
      <button aria-label={t.viewer.zoomOut} onClick={() => zoom(1 / 1.5)}>
        −
      </button>
      {view.scale > 1 && (
        <button aria-label={t.viewer.reset} onClick={() => change(() => WHOLE)}>
          ⤢
        </button>
      )}
    </div>
  );
}

/** A slider each for brightness and contrast. */
export function Sliders({ brightness, contrast, set }: Adjusted & { set: (b: number, c: number) => void }) {
  const { t } = useSpeech();
  const sliders: [string, number, number, (value: number) => void][] = [
    [t.viewer.brightness, BRIGHTEST, brightness, (value) => set(value, contrast)],
    [t.viewer.contrast, SHARPEST, contrast, (value) => set(brightness, value)],
  ];
  return (
    <>
      {sliders.map(([label, most, value, change]) => (
        <label key={label} class="slider">
          <span>{label}</span>
          <input
            type="range"
            min={LEAST}
            max={most}
            value={value}
            onInput={(event) => change(Number(event.currentTarget.value))}
          />
        </label>
      ))}
    </>
  );
}
