/// <reference lib="webworker" />
/** The service worker: keeps the whole app on the device, by content. It never reads a film. */
declare const self: ServiceWorkerGlobalScope;
/** Put in by the build: [address, hash of the content, bytes] of every file. */
declare const __PRECACHE__: [string, string, number][];
declare const __VERSION__: string;
/** Put in by the build: the page's content security policy. */
declare const __POLICY__: string;

const PREFIX = 'app-';
const CACHE = PREFIX + __VERSION__;
const wanted = new Map<string, string>();
let missing = 0;
for (const [address, hash, bytes] of __PRECACHE__) {
  wanted.set(new URL(address, self.location.href).href, hash);
  missing += bytes;
}
const everything = missing;
const page = new URL('index.html', self.location.href).href;

self.addEventListener('install', (event) => event.waitUntil(store()));
self.addEventListener('activate', (event) => event.waitUntil(takeOver()));
self.addEventListener('message', (event) => {
  if (event.data === 'activate') void self.skipWaiting();
});
self.addEventListener('fetch', (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== 'GET' || address.origin !== self.location.origin) return;
  if (request.mode === 'navigate') event.respondWith(answer(page, request));
  else if (wanted.has(address.origin + address.pathname))
    event.respondWith(answer(address.origin + address.pathname, request));
});

async function answer(address: string, request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(address)) ?? fetch(request);
}

async function store(): Promise<void> {
  const cache = await caches.open(CACHE);
  const older = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(
    [...wanted].map(async ([address, hash]) => {
      if (await cache.match(address)) return;
      for (const name of older) {
        const known = await (await caches.open(name)).match(address);
        if (known?.headers.get('x-content-hash') === hash) return cache.put(address, known);
      }
      return cache.put(address, await fetched(address, hash));
    }),
  );
}

/** Fetch a file and check that it is the one of this version: half an update would be an app that reads wrongly. */
async function fetched(address: string, hash: string): Promise<Response> {
  // A name with a hash in it never changes its content: take what the page has just loaded.
  let { response, body, found } = await downloaded(address, address.includes('/assets/') ? 'default' : 'no-cache');
  // A wrong answer that the browser keeps as immutable would come back for ever: ask the server itself, once.
  if (found !== hash) {
    missing += body.byteLength;
    ({ response, body, found } = await downloaded(address, 'reload'));
  }
  if (found !== hash) throw new Error(`${address}: the server answered ${response.status} with other content`);
  const headers = new Headers({ 'content-type': response.headers.get('content-type') ?? 'application/octet-stream' });
  headers.set('x-content-hash', hash);
  // Stored with the page, so that threads work even where a host cannot set these.
  headers.set('cross-origin-opener-policy', 'same-origin');
  headers.set('cross-origin-embedder-policy', 'require-corp');
  headers.set('cross-origin-resource-policy', 'same-origin');
  // A worker has the policy of its own file, not of the page: without one it could call any address.
  headers.set('content-security-policy', __POLICY__);
  return new Response(body, { headers });
}

/** A file as the server or the browser's cache answers it; `found` is the hash of its content. */
async function downloaded(address: string, cache: RequestCache) {
  const response = await fetch(address, { cache });
  const body = await new Response(response.body?.pipeThrough(counter())).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', body));
  const found = Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { response, body, found };
}

/** Tells every page how far the first visit is: it may take minutes on a poor line. */
function counter(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    async transform(chunk, onward) {
      onward.enqueue(chunk);
      const before = Math.floor((100 * missing) / everything);
      missing -= chunk.length;
      if (Math.floor((100 * missing) / everything) === before) return;
      const pages = await self.clients.matchAll({ includeUncontrolled: true });
      for (const open of pages) open.postMessage({ stored: 1 - missing / everything });
    },
  });
}

async function takeOver(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
  }
  await self.clients.claim();
}

export {};
