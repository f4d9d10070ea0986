import type { RefObject } from 'preact';
import { useRef } from 'preact/hooks';

export interface View {
  scale: number;
  /** Shares of the frame's width and height. */
  x: number;
  y: number;
}

export const WHOLE: View = { scale: 1, x: 0, y: 0 };
const CLOSEST = 8;

/** Keep the film inside its frame. */
export function bounded({ scale, x, y }: View): View {
  const near = Math.min(CLOSEST, Math.max(1, scale));
  const slack = (near - 1) / 2;
  return { scale: near, x: Math.min(slack, Math.max(-slack, x)), y: Math.min(slack, Math.max(-slack, y)) };
}

interface Panning {
  zoom: (factor: number) => void;
  /** For the frame: fingers, the mouse and the keyboard. */
  handlers: Record<string, (event: any) => void>;
}

/**
 * Enlarge and move what a frame shows.
 *
 * @param dragged what a drag with one finger or the mouse does in place of moving, in shares of the frame
 */
export function usePanning(
  frame: RefObject<HTMLElement | null>,
  view: View,
  change: (next: (view: View) => View) => void,
  dragged?: (x: number, y: number) => void,
): Panning {
  const fingers = useRef(new Map<number, { x: number; y: number }>());
  const zoom = (factor: number) =>
    change((v) => bounded({ scale: v.scale * factor, x: v.x * factor, y: v.y * factor }));
  const pan = (x: number, y: number) => change((v) => bounded({ ...v, x: v.x + x, y: v.y + y }));
  const lifted = (event: PointerEvent) => fingers.current.delete(event.pointerId);
  const keys: Record<string, () => void> = {
    '+': () => zoom(1.4),
    '=': () => zoom(1.4),
    '-': () => zoom(1 / 1.4),
    '0': () => change(() => WHOLE),
    ArrowLeft: () => pan(0.1, 0),
    ArrowRight: () => pan(-0.1, 0),
    ArrowUp: () => pan(0, 0.1),
    ArrowDown: () => pan(0, -0.1),
  };
  return {
    zoom,
    handlers: {
      onKeyDown: (event: KeyboardEvent) => {
        const act = keys[event.key];
        if (act && (view.scale > 1 || !event.key.startsWith('Arrow'))) {
          event.preventDefault();
          act();
        }
      },
      onPointerDown: (event: PointerEvent) => {
        fingers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
        frame.current!.setPointerCapture(event.pointerId);
      },
      onPointerMove: (event: PointerEvent) => {
        const before = fingers.current.get(event.pointerId);
        if (!before) return;
        const { width, height } = frame.current!.getBoundingClientRect();
        const now = { x: event.clientX, y: event.clientY };
        const [x, y] = [(now.x - before.x) / width, (now.y - before.y) / height];
        const others = [...fingers.current].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
        if (others.length === 1) {
          const distance = (point: { x: number; y: number }) =>
            Math.hypot(point.x - others[0].x, point.y - others[0].y);
          zoom(distance(now) / Math.max(1, distance(before)));
          pan(x / 2, y / 2);
        } else if (dragged) {
          dragged(x, y);
        } else if (view.scale > 1) {
          pan(x, y);
        }
        fingers.current.set(event.pointerId, now);
      },
      onPointerUp: lifted,
      onPointerCancel: lifted,
    },
  };
}
