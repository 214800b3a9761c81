// The service worker: the page starts without a network. It keeps the files of the page, listed
// in SHELL by the build, and nothing else: no picture, no message, no key and no answer of
// another address ever gets into the cache.
const prefix = 'shell-', cacheName = prefix + VERSION;
const { scope } = self.registration;

// The start page is kept under the folder's address: servers redirect index.html to it, and a
// browser takes no redirected answer for a page.
const shell = new Set(SHELL.map((file) => (file === 'index.html' ? scope : new URL(file, scope).href)));

self.addEventListener('install', (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(cacheName);
    await cache.addAll([...shell].map((url) => new Request(url, { cache: 'reload' })));
    await self.skipWaiting();
  })());
});

self.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name.startsWith(prefix) && name !== cacheName) await caches.delete(name);
    await self.clients.claim();
  })());
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  url.hash = url.search = '';
  if (request.method !== 'GET' || !shell.has(url.href)) return; // the network's, and nobody keeps it
  event.respondWith((async () => {
    const cache = await caches.open(cacheName);
    return await cache.match(url.href) ?? fetch(request);
  })());
});
