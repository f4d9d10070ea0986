import { useEffect, useRef, useState } from 'preact/hooks';
import { Lungs } from '../components/lungs';
import { usePanning, type View } from '../components/panning';
import { Sliders, Windowed, Zoom } from '../components/viewing';
import { BRIGHTEST, type FullRange, LEAST, SHARPEST } from '../film/full_range';
import { outlines } from '../reader/outline';
import type { KeptFilm } from '../worklist/reading';
import { useWords } from './words';

/** The hottest area is what lies above this share of the map's highest value; none of its values is exactly there. */
const HOTTEST = 0.500001;
/** What shows nothing at this share of full colour is blank. */
const BLANK = 0.05;
/** Brightness and contrast in per cent, by the name of the button. */
const PRESETS = { own: [100, 100], whole: [100, LEAST], lungs: [130, 140], bones: [75, 130] } as const;

interface Props {
  picture: KeptFilm;
  /** Whether there is a map to show: not for a film that was refused. */
  mapped: boolean;
  /** Logit units of full colour. */
  fullColour: number;
  fullRange: FullRange | null;
  onAdjusted: () => void;
  /** Where the film is enlarged; two films that are compared share it. */
  view: View;
  change: (next: (view: View) => View) => void;
  children?: preact.ComponentChildren;
}

/** The film alone, as large as it fits; where the model looked is a line around it, on demand. */
export function FilmViewer({ picture, mapped, fullColour, fullRange, onAdjusted, view, change, children }: Props) {
  const { w, t } = useWords();
  const film = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState<[number, number] | null>(null);
  const [lost, setLost] = useState(false);
  const [where, setWhere] = useState(false);
  const [[brightness, contrast], setWindow] = useState<readonly [number, number]>(PRESETS.own);
  const [windowing, setWindowing] = useState(false);
  const [turns, setTurns] = useState(0);
  const [inverted, setInverted] = useState(false);
  const adjusted = brightness !== 100 || contrast !== 100;
  const blank = isBlank(picture, fullColour);
  const { zoom, handlers } = usePanning(
    frame,
    view,
    change,
    windowing
      ? (x, y) =>
          setWindow(([b, c]) => [
            Math.min(BRIGHTEST, Math.max(LEAST, b - 150 * y)),
            Math.min(SHARPEST, Math.max(LEAST, c + 200 * x)),
          ])
      : undefined,
  );

  useEffect(() => {
    setSize(null);
    setLost(false);
    const image = new Image();
    image.onload = () => {
      const canvas = film.current;
      if (!canvas) return;
      canvas.width = image.naturalWidth;
      canvas.height = image.naturalHeight;
      canvas.getContext('2d')!.drawImage(image, 0, 0);
      setSize([image.naturalWidth, image.naturalHeight]);
    };
    image.onerror = () => setLost(true);
    image.src = picture.picture;
    return () => {
      image.onload = image.onerror = null;
    };
  }, [picture.picture]);

  useEffect(() => {
    if (adjusted) onAdjusted();
  }, [adjusted]);

  // Not with the browser's own listener of Preact, which is passive: the page would scroll under the film.
  useEffect(() => {
    const wheeled = (event: WheelEvent) => {
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2);
    };
    const there = frame.current!;
    there.addEventListener('wheel', wheeled, { passive: false });
    return () => there.removeEventListener('wheel', wheeled);
  }, []);

  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const typing = /INPUT|TEXTAREA|SELECT/.test((event.target as HTMLElement).tagName);
      if (event.key.toLowerCase() !== 'h' || typing || event.ctrlKey || event.repeat || !mapped) return;
      setWhere(event.type === 'keydown');
    };
    addEventListener('keydown', pressed);
    addEventListener('keyup', pressed);
    return () => {
      removeEventListener('keydown', pressed);
      removeEventListener('keyup', pressed);
    };
  }, [mapped]);

  const [across, down] = size ?? [1, 1];
  const shown = turns % 2 ? down / across : across / down;
  const filter = `brightness(${brightness}%) contrast(${contrast}%)${inverted ? ' invert(1)' : ''}`;
  return (
    <section class="viewer">
      <div
        ref={frame}
        class={`frame high ${windowing ? 'windowing' : ''}`}
        style={{ touchAction: view.scale > 1 || windowing ? 'none' : 'pan-y' }}
        tabIndex={0}
        role="group"
        aria-label={`${t.viewer.film}. ${t.viewer.hint}`}
        {...handlers}
      >
        {!size && (
          <p class="loading" role="status">
            {lost ? w.errors.unreadable : w.film.loading}
          </p>
        )}
        <div
          class="stack"
          style={{
            transform: `translate(${view.x * 100}%, ${view.y * 100}%) scale(${view.scale})`,
            aspectRatio: `${shown}`,
            inlineSize: `min(100%, calc(var(--high) * ${shown}))`,
            visibility: size ? 'visible' : 'hidden',
          }}
        >
          <div
            class="turned"
            style={{
              transform: `rotate(${90 * turns}deg)`,
              ...(turns % 2 && { inlineSize: `${100 / shown}%`, blockSize: `${100 * shown}%` }),
            }}
          >
            <canvas ref={film} class="film" style={{ filter }} />
            {fullRange && adjusted && (
              <Windowed
                range={fullRange}
                brightness={brightness}
                contrast={contrast}
                filter={inverted ? 'invert(1)' : undefined}
              />
            )}
            {where && mapped && !blank && <Hottest picture={picture} />}
            <Lungs lungs={where ? picture.lungs : undefined} />
          </div>
        </div>
        <Zoom view={view} zoom={zoom} change={change} />
      </div>
      <div class="tools">
        {mapped && (
          <button aria-pressed={where} onClick={() => setWhere(!where)} title={w.film.hold}>
            <span class="hottest-line" aria-hidden="true" />
            {t.viewer.where}
          </button>
        )}
        {Object.entries(PRESETS).map(([name, preset]) => (
          <button
            key={name}
            aria-pressed={preset[0] === brightness && preset[1] === contrast}
            onClick={() => setWindow(preset)}
          >
            {w.film.presets[name]}
          </button>
        ))}
        <button aria-pressed={windowing} onClick={() => setWindowing(!windowing)}>
          {w.film.drag}
        </button>
        <button aria-label={t.viewer.rotate} title={t.viewer.rotate} onClick={() => setTurns((turns + 1) % 4)}>
          ↻
        </button>
        <button
          aria-label={t.viewer.invert}
          title={t.viewer.invert}
          aria-pressed={inverted}
          onClick={() => setInverted(!inverted)}
        >
          ◐
        </button>
      </div>
      {where && (
        <p class="hint" role="status">
          {blank ? t.viewer.blankMap : w.film.hottest}
        </p>
      )}
      <details class="adjust">
        <summary>{w.film.fine}</summary>
        <Sliders brightness={brightness} contrast={contrast} set={(b, c) => setWindow([b, c])} />
        {children}
      </details>
    </section>
  );
}

/** Whether the map shows nothing: then no area weighed much. */
export const isBlank = ({ heatmap }: KeptFilm, fullColour: number): boolean =>
  Math.max(...heatmap) <= BLANK * fullColour;

/** A line around the hottest area of the map; the film stays visible beneath it. */
export function Hottest({ picture }: { picture: KeptFilm }) {
  const level = HOTTEST * Math.max(...picture.heatmap);
  return (
    <svg class="hottest" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
      {outlines(picture.heatmap, picture.heatmapSize, level).map((line, index) => (
        <polygon key={index} points={line.join(' ')} fill="none" vector-effect="non-scaling-stroke" />
      ))}
    </svg>
  );
}
