import { useEffect, useRef, useState } from 'preact/hooks';
import { LEGEND, OUTLINE } from '../contract/colours';
import { type Film, paint } from '../film/film';
import type { FullRange } from '../film/full_range';
import { useSpeech } from '../i18n';
import { heatmapPicture } from '../reader/heatmap';
import type { KeptFilm } from '../worklist/reading';
import { Lungs } from './lungs';
import { usePanning, WHOLE } from './panning';
import { Sliders, Windowed, Zoom } from './viewing';

interface Props {
  /** The film as it was read, as long as it is in memory; else the kept picture is shown. */
  film?: Film | null;
  picture: KeptFilm | null;
  /** Whether the heatmap is shown: not for a film that was refused. */
  heatmap: boolean;
  /** Logit units drawn at full colour. */
  fullColour: number;
  /** The film's values before its window, once they are there; until then brightness and contrast filter the picture. */
  fullRange?: FullRange | null;
  /** Called when brightness or contrast first leave the film as it was read. */
  onAdjusted?: () => void;
  children?: preact.ComponentChildren;
}

/** The film under its heatmap: a slider from one to the other, fingers to enlarge and move, brightness and contrast. */
export function Viewer({ film, picture, heatmap, fullColour, fullRange, onAdjusted, children }: Props) {
  const { t } = useSpeech();
  const filmCanvas = useRef<HTMLCanvasElement>(null);
  const heatmapCanvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const [strength, setStrength] = useState(100);
  const [outlined, setOutlined] = useState(true);
  const [[brightness, contrast], setWindow] = useState([100, 100]);
  const [view, setView] = useState(WHOLE);
  const adjusted = brightness !== 100 || contrast !== 100;
  const mapped = heatmap && picture !== null;
  const blank = mapped && Math.max(...picture.heatmap) <= 0.05 * fullColour;

  useEffect(() => {
    setView(WHOLE);
    const canvas = filmCanvas.current!;
    const context = canvas.getContext('2d')!;
    if (film) {
      paint(film, canvas);
    } else if (picture) {
      const image = new Image();
      image.onload = () => {
        canvas.width = image.naturalWidth;
        canvas.height = image.naturalHeight;
        context.drawImage(image, 0, 0);
      };
      image.src = picture.picture;
    }
    if (mapped) {
      const [rows, columns] = picture.heatmapSize;
      const drawn = heatmapPicture(picture.heatmap, rows, columns, fullColour);
      heatmapCanvas.current!.width = drawn.width;
      heatmapCanvas.current!.height = drawn.height;
      heatmapCanvas.current!.getContext('2d')!.putImageData(drawn, 0, 0);
    }
  }, [film, picture, fullColour]);

  useEffect(() => {
    if (adjusted) onAdjusted?.();
  }, [adjusted]);

  const { zoom, handlers } = usePanning(frame, view, setView);

  return (
    <section class="viewer">
      <div
        ref={frame}
        class="frame"
        style={{ touchAction: view.scale > 1 ? 'none' : 'pan-y' }}
        tabIndex={0}
        role="group"
        aria-label={`${t.viewer.film}. ${t.viewer.hint}`}
        {...handlers}
        onWheel={(event) => {
          if (!event.ctrlKey) return;
          event.preventDefault();
          zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2);
        }}
      >
        <div class="stack" style={{ transform: `translate(${view.x * 100}%, ${view.y * 100}%) scale(${view.scale})` }}>
          <canvas
            ref={filmCanvas}
            class="film"
            style={{ filter: `brightness(${brightness}%) contrast(${contrast}%)` }}
          />
          {fullRange && adjusted && <Windowed range={fullRange} brightness={brightness} contrast={contrast} />}
          {mapped && <canvas ref={heatmapCanvas} class="heatmap" style={{ opacity: strength / 100 }} />}
          {outlined && <Lungs lungs={picture?.lungs} />}
        </div>
        <Zoom view={view} zoom={zoom} change={setView} />
      </div>
      {mapped && (
        <>
          <label class="slider">
            <span aria-hidden="true">{t.viewer.film_only}</span>
            <input
              type="range"
              min="0"
              max="100"
              value={strength}
              aria-label={t.viewer.heatmap}
              onInput={(event) => setStrength(Number(event.currentTarget.value))}
            />
            <span aria-hidden="true">{t.viewer.heatmap}</span>
          </label>
          <div class="legend">
            <strong>{t.viewer.where}</strong>
            <span class="scale">
              <span>{t.viewer.little}</span>
              <span class="ramp" style={{ background: LEGEND }} role="img" aria-label={t.viewer.legend} />
              <span>{t.viewer.strong}</span>
            </span>
          </div>
          <p class="hint">{blank ? t.viewer.blankMap : t.viewer.noProof}</p>
        </>
      )}
      {picture?.lungs && (
        <label class="check">
          <input type="checkbox" checked={outlined} onChange={(event) => setOutlined(event.currentTarget.checked)} />
          <span class="line" style={{ background: OUTLINE }} aria-hidden="true" />
          {t.viewer.lungs}
        </label>
      )}
      <details class="adjust">
        <summary>{t.viewer.adjust}</summary>
        <Sliders brightness={brightness} contrast={contrast} set={(b, c) => setWindow([b, c])} />
        {children}
      </details>
    </section>
  );
}
