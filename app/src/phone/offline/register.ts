const SCRIPT = './sw.js';
const OPTIONS: RegistrationOptions = { updateViaCache: 'none' };

/**
 * Settles when the service worker holds the whole app, or cannot: then the reader is opened. On the first visit the
 * reader is so fetched once, by the service worker, and not a second time by the page.
 */
export async function settled(progress: (share: number) => void): Promise<void> {
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return;
  const { serviceWorker } = navigator;
  try {
    const registration = await serviceWorker.register(SCRIPT, OPTIONS);
    if (registration.active) return;
    const worker = registration.installing ?? registration.waiting;
    const heard = ({ data }: MessageEvent) => progress(data.stored);
    serviceWorker.addEventListener('message', heard);
    serviceWorker.startMessages();
    await new Promise<void>((done) => {
      const look = () => {
        if (!worker || worker.state === 'activated' || worker.state === 'redundant') done();
      };
      worker?.addEventListener('statechange', look);
      look();
    });
    serviceWorker.removeEventListener('message', heard);
  } catch {
    // No service worker here (a private window, a host that forbids it): the page works with the network.
  }
}

/**
 * Register the service worker. `ready` is called once the whole app is stored for work without network; `offer` is
 * given a function that changes to a new version when one is waiting.
 */
export function watchOffline(ready: (is: boolean) => void, offer: (activate: () => void) => void): void {
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return;
  const { serviceWorker } = navigator;
  void serviceWorker.ready.then(() => ready(true));
  const hadOne = serviceWorker.controller !== null;
  serviceWorker.addEventListener('controllerchange', () => {
    // The first visit is only taken over; a change of version needs the new files.
    if (hadOne) location.reload();
  });
  void serviceWorker
    .register(SCRIPT, OPTIONS)
    .then((registration) => {
      const look = () => {
        const { waiting } = registration;
        if (waiting && serviceWorker.controller) offer(() => waiting.postMessage('activate'));
      };
      const follow = () => registration.installing?.addEventListener('statechange', look);
      look();
      follow();
      registration.addEventListener('updatefound', follow);
      addEventListener('online', () => void registration.update().catch(() => undefined));
    })
    .catch(() => ready(false));
}

/** The browser's offer to install the app, kept until the user asks for it. */
interface InstallPrompt extends Event {
  prompt: () => Promise<unknown>;
}

let offered: InstallPrompt | null = null;
addEventListener('beforeinstallprompt', (event) => {
  event.preventDefault();
  offered = event as InstallPrompt;
});

/** Installs the app, or null where the browser offers no installation. */
export function installer(): (() => Promise<unknown>) | null {
  const prompt = offered;
  return prompt && (() => prompt.prompt());
}
