import type { Status } from '../contract/judge';

/** The shape shows the status, as the colour does. */
const SHAPES: Record<Status, string> = {
  suspected: 'M12 2 23 21H1ZM12 8v7M12 17.2v1.3',
  not_seen: 'M12 1.5a10.5 10.5 0 1 0 0 21 10.5 10.5 0 0 0 0-21ZM7 12.5l3.4 3.4L17 9',
  uncertain:
    'M12 1.5a10.5 10.5 0 1 0 0 21 10.5 10.5 0 0 0 0-21ZM8.8 9.3a3.2 3.2 0 1 1 4.6 2.9c-.9.5-1.4 1-1.4 2.1M12 16.8v1.3',
  refused: 'M7.7 1.5h8.6l6.2 6.2v8.6l-6.2 6.2H7.7l-6.2-6.2V7.7ZM7 12h10',
  failed: 'M5 1.5h9l5 5v16H5ZM9 11l6 6M15 11l-6 6',
};

export function StatusIcon({ status }: { status: Status }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={SHAPES[status]} />
    </svg>
  );
}
