// The service worker: the page starts without a network. It keeps the files of the page, listed
// in SHELL by the build, and nothing else: no picture, no message, no key and no answer of
// another address ever gets into the cache.
import { pushed } from '../core/pushed.js';
import { Store } from '../core/store.js';
import icon from '../static/icon-192.png'; // the picture itself, as a data URL: see below
import { to } from './route.js';
import { words } from './words.js';

const prefix = 'shell-', cacheName = prefix + VERSION;
const scope = new URL('./', self.location).href; // the page's; a registration for pushes is below it

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

// A push has to be shown, whatever it is: a browser ends the subscription of a page that keeps
// one to itself. One that no camera of this browser has signed says nothing but that it came.
// Nothing is fetched for it: a phone elsewhere may not reach the page's server, and a browser
// shows a notice only once it has loaded the icon or given up on it. Chromium gives the icon 90
// seconds, and the whole push as many: then it stops the worker, and nothing was shown.
self.addEventListener('push', (event) => {
  event.waitUntil((async () => {
    let shown = { title: words.pushes.title, body: words.pushes.unknown, tag: 'unknown', hash: '#/cameras' };
    try {
      const { device, n, camera, kind, sentence, time } = await pushed(event.data?.text() ?? '', await Store.open());
      shown = { title: camera, body: sentence, tag: `${device}-${n}`, timestamp: time?.getTime(), hash: to(device, kind === 'ring' ? 'live' : 'history') };
    } catch { /* as above */ }
    const { title, body, tag, hash, timestamp } = shown;
    await self.registration.showNotification(title, { body, tag, timestamp, icon, data: { url: new URL(hash, scope).href } });
  })());
});

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  const { url } = event.notification.data;
  event.waitUntil((async () => {
    const open = (await self.clients.matchAll({ type: 'window', includeUncontrolled: true })).find((c) => c.url.startsWith(scope));
    if (open) await open.navigate(url).then((c) => c?.focus(), () => self.clients.openWindow(url)); // an uncontrolled one can't be led
    else await self.clients.openWindow(url);
  })());
});
