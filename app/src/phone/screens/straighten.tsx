import { useEffect, useRef, useState } from 'preact/hooks';
import { Notice } from '../../components/notice';
import { type Corners, type Film, inverted, paint, rotated } from '../../film/film';
import { sensible, whole } from '../../film/straighten';
import { useSpeech } from '../../i18n';
import { goInstead, useAppState } from '../state';

/** Four handles on the photo, then a look at the straightened film, then the reading. */
export function StraightenScreen() {
  const { t } = useSpeech();
  const { photo, assistant, readFilm } = useAppState();
  const [corners, setCorners] = useState<Corners | null>(null);
  const [result, setResult] = useState<Film | null>(null);
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    if (!photo) return;
    setResult(null);
    setBusy(false);
    setCorners(photo.corners);
    if (!photo.corners) void assistant.client.corners(photo).then(setCorners, () => setCorners(whole(photo)));
  }, [photo]);

  if (!photo)
    return (
      <>
        <h1>{t.straighten.title}</h1>
        <Notice kind="warning">{t.straighten.gone}</Notice>
        <button class="big primary" onClick={() => goInstead('/')}>
          {t.home.next}
        </button>
      </>
    );
  if (!corners) return <p role="status">{t.loading}</p>;
  const good = sensible(corners);
  const straightened = (then: (film: Film) => unknown) => {
    setBusy(true);
    void assistant.client
      .straighten(photo, corners)
      .then(then)
      .finally(() => setBusy(false));
  };
  return (
    <>
      <h1>{t.straighten.title}</h1>
      {result ? (
        <>
          <FilmCanvas film={result} label={t.straighten.preview} />
          <button class="big primary" disabled={busy} onClick={() => (setBusy(true), void readFilm(result, photo))}>
            {t.straighten.read}
          </button>
          <div class="row">
            <button onClick={() => setResult(rotated(result))}>{t.straighten.rotate}</button>
            <button onClick={() => setResult(inverted(result))}>{t.viewer.invert}</button>
            <button onClick={() => setResult(null)}>{t.straighten.again}</button>
          </div>
        </>
      ) : (
        <>
          <p>
            {photo.corners && t.straighten.found} {t.straighten.check}
          </p>
          <Handles photo={photo} corners={corners} change={setCorners} />
          {!good && <Notice kind="warning">{t.straighten.bad}</Notice>}
          <button
            class="big primary"
            disabled={!good || busy}
            onClick={() => straightened((film) => readFilm(film, photo))}
          >
            {t.straighten.right}
          </button>
          <div class="row">
            <button disabled={!good || busy} onClick={() => straightened(setResult)}>
              {t.straighten.look}
            </button>
            <button onClick={() => setCorners(whole(photo))}>{t.straighten.whole}</button>
          </div>
        </>
      )}
    </>
  );
}

function FilmCanvas({ film, label }: { film: Film; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    paint(film, canvas.current!);
  }, [film]);
  return <canvas ref={canvas} class="photo" role="img" aria-label={label} />;
}

interface HandlesProps {
  photo: Film;
  corners: Corners;
  change: (corners: Corners) => void;
}

function Handles({ photo, corners, change }: HandlesProps) {
  const { t, number } = useSpeech();
  const frame = useRef<HTMLDivElement>(null);
  const move = (index: number, x: number, y: number) => {
    const moved = corners.slice() as Corners;
    moved[index] = {
      x: Math.min(photo.width - 1, Math.max(0, x)),
      y: Math.min(photo.height - 1, Math.max(0, y)),
    };
    change(moved);
  };
  const drag = (index: number) => (event: PointerEvent) => {
    if (!(event.buttons & 1)) return;
    const { left, top, width, height } = frame.current!.getBoundingClientRect();
    move(index, ((event.clientX - left) / width) * photo.width, ((event.clientY - top) / height) * photo.height);
  };
  const step = Math.max(photo.width, photo.height) / 100;
  const KEYS: Record<string, [number, number]> = {
    ArrowLeft: [-step, 0],
    ArrowRight: [step, 0],
    ArrowUp: [0, -step],
    ArrowDown: [0, step],
  };
  return (
    // Left and right are those of the picture in every language.
    <div ref={frame} class="handles" dir="ltr">
      <FilmCanvas film={photo} label={t.viewer.film} />
      <svg viewBox={`0 0 ${photo.width} ${photo.height}`} aria-hidden="true">
        <polygon points={corners.map(({ x, y }) => `${x},${y}`).join(' ')} />
      </svg>
      {corners.map(({ x, y }, index) => (
        <button
          key={index}
          class="handle"
          aria-label={t.straighten.corner(number(index + 1))}
          style={{ left: `${(x / photo.width) * 100}%`, top: `${(y / photo.height) * 100}%` }}
          onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
          onPointerMove={drag(index)}
          onKeyDown={(event) => {
            const by = KEYS[event.key];
            if (!by) return;
            event.preventDefault();
            move(index, x + by[0], y + by[1]);
          }}
        />
      ))}
    </div>
  );
}
