/**
 * The SDK over HTTP in a real browser, and what a web page that nobody allowed can do to a server on the same machine: nothing.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasChromium, NO_CHROMIUM, openInChromium } from '../support/chromium.ts';
import { Program } from '../support/programs.ts';
import { MongoClient } from 'mongodb';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TYPES: Readonly<Record<string, string>> = { html: 'text/html', js: 'text/javascript' };

/** Serves files by their path; the port is any free one. */
async function servePages(pages: Readonly<Record<string, string>>): Promise<Server> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const page = pages[path];
    const type = TYPES[path.split('.').at(-1) ?? ''] ?? 'text/html';
    response.writeHead(page === undefined ? 404 : 200, {
      'Content-Type': `${type}; charset=utf-8`,
    });
    response.end(page ?? '');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return server;
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('the pages have no port');
  return address.port;
}

/** The text of an element of a page. */
function textAt(html: string, id: string): string {
  return new RegExp(`id="${id}"[^>]*>([^<]*)<`).exec(html)?.[1] ?? '';
}

/** Presses the button until there is no further page. */
const PRESS = `<script type="module">
  const more = document.getElementById('more');
  const press = () => { if (!more.disabled) more.click(); };
  new MutationObserver(press).observe(more, { attributes: true });
</script>`;

/** Every way in which a page can send something anywhere; says what came of each. */
const ATTACK = `<!doctype html><title>attack</title><output id="result"></output>
<iframe name="sink" hidden></iframe><form id="form" method="post" target="sink" enctype="text/plain"></form>
<script type="module">
  const target = decodeURIComponent(location.search.slice(1));
  const body = JSON.stringify({ insert: 'stolen', documents: [{ by: 'a page' }], $db: 'foreign' });
  const send = (init, path = '/command') => fetch(target + path, { method: 'POST', body, ...init })
    .then(async (answer) => answer.type === 'opaque' ? 'sent' : answer.status + ' ' + (await answer.text()).slice(0, 40))
    .catch(() => 'blocked');
  const said = [];
  said.push('json: ' + await send({ headers: { 'Content-Type': 'application/json' } }));
  said.push('plain: ' + await send({ headers: { 'Content-Type': 'text/plain' } }));
  said.push('no-cors: ' + await send({ mode: 'no-cors', headers: { 'Content-Type': 'text/plain' } }));
  said.push('no type: ' + await send({ mode: 'no-cors', body: new Blob([body]) }));
  said.push('form type: ' + await send({ mode: 'no-cors', body: new URLSearchParams({ body }) }));
  said.push('beacon: ' + navigator.sendBeacon(target + '/command', body));
  said.push('read: ' + await fetch(target + '/metrics').then((answer) => 'read ' + answer.status).catch(() => 'blocked'));
  const form = document.getElementById('form');
  form.action = target + '/command';
  const field = document.createElement('input');
  field.name = '{"insert":"stolen","documents":[{"by":"a form"}],"$db":"foreign","comment":"';
  field.value = '"}';
  form.append(field);
  form.submit();
  document.getElementById('result').textContent = said.join('; ');
</script>`;

describe('a real browser', function () {
  this.timeout(60_000);
  let pages: Server | undefined;
  let flintd: Program | undefined;
  let client: MongoClient | undefined;
  let httpUrl = '';

  before('start pages and flintd', async function () {
    if (!hasChromium) {
      process.stdout.write(`      ${NO_CHROMIUM}\n`);
      this.skip();
    }
    const example = (name: string): string =>
      readFileSync(join(ROOT, 'docs/examples/browser', name), 'utf8');
    const page = example('index.html');
    pages = await servePages({
      '/index.html': page,
      '/pressed.html': page.replace('</body>', `${PRESS}</body>`),
      '/app.js': example('app.js'),
      '/flintdb-http.js': readFileSync(join(ROOT, 'dist/sdk/http.js'), 'utf8'),
      '/attack.html': ATTACK,
    });
    const origin = `http://127.0.0.1:${portOf(pages)}`;
    flintd = await Program.start({ args: ['--httpPort', '0', '--httpAllowedOrigins', origin] });
    const { httpPort } = JSON.parse(JSON.stringify(flintd.readyLine));
    httpUrl = `http://127.0.0.1:${httpPort}`;
    client = await MongoClient.connect(flintd.uri);
  });
  after(async () => {
    await client?.close();
    await flintd?.dispose();
    pages?.close();
  });

  const page = (path: string, host = '127.0.0.1'): string =>
    `http://${host}:${pages === undefined ? 0 : portOf(pages)}/${path}?${encodeURIComponent(httpUrl)}`;
  const stolen = async (): Promise<number> =>
    (await client?.db('foreign').collection('stolen').countDocuments()) ?? -1;

  it('runs the example: inserts, queries, and pages through a cursor', async () => {
    const html = await openInChromium(page('pressed.html'));
    assert.equal(textAt(html, 'state'), '12 documents inserted; 7 of them cost more than 5.');
    assert.equal(textAt(html, 'pages'), '3 pages, 12 rows');
    assert.match(html, /<td>Item 12<\/td><td>[0-9a-f]{24}<\/td><td>11\.90<\/td>/);
    const names = [...html.matchAll(/<td>(Item \d+)<\/td>/g)].map(([, name]) => name);
    assert.deepEqual(
      names,
      Array.from({ length: 12 }, (_, n) => `Item ${12 - n}`),
    );
    assert.equal(await client?.db('browser').collection('items').countDocuments(), 12);
  });

  it('shows the example as it is meant to look', async function () {
    const screenshot = process.env['FLINT_SCREENSHOT'];
    if (screenshot === undefined) this.skip();
    await openInChromium(page('pressed.html'), { screenshot });
  });

  it('with a page of an allowed origin can do what the page wants', async () => {
    const html = await openInChromium(page('attack.html'));
    assert.match(textAt(html, 'result'), /^json: 200 \{"n":1,"ok":1/);
    assert.equal(await stolen(), 1);
    await client?.db('foreign').dropDatabase();
  });

  it('with a page of any other origin can neither write nor read', async () => {
    const html = await openInChromium(page('attack.html', 'foreign.example'), {
      hosts: 'MAP foreign.example 127.0.0.1',
    });
    // What is only "sent" went out as the browser lets it, without being asked; the server refused it.
    assert.equal(
      textAt(html, 'result'),
      'json: blocked; plain: blocked; no-cors: sent; no type: sent; form type: sent; beacon: true; read: blocked',
    );
    assert.equal(await stolen(), 0);
  });

  it('with a name that was pointed at this machine gets nothing but a refusal', async () => {
    const rebound = httpUrl.replace('127.0.0.1', 'rebound.example');
    const html = await openInChromium(`${rebound}/metrics`, {
      hosts: 'MAP rebound.example 127.0.0.1',
    });
    assert.match(html, /"status": ?421|Misdirected/);
    assert.doesNotMatch(html, /flintdb_|# TYPE/);
    const control = await openInChromium(`${httpUrl}/metrics`);
    assert.match(control, /# TYPE/);
  });
});
