/**
 * Register the service worker. `ready` is told once the whole app is stored for work without network; `offer` is
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
    .register('./sw.js', { updateViaCache: 'none' })
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
