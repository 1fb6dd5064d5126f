/**
 * The Data API over real sockets: its actions, its forms, its refusals.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { BSON, EJSON, Long, ObjectId, type Document } from 'bson';
import { serverForTests } from '../../support/test-server.ts';

const ALLOWED = 'https://app.example';

async function jsonOf(response: Response): Promise<Document> {
  const value: unknown = await response.json();
  assert.ok(typeof value === 'object' && value !== null);
  return value;
}

describe('server/http: the Data API', () => {
  const server = serverForTests({
    args: [
      '--testing',
      '--httpPort',
      '0',
      '--httpAllowedOrigins',
      ALLOWED,
      '--httpAllowedHosts',
      'db.example',
    ],
  });
  let url = '';
  let port = 0;
  let count = 0;
  before(() => {
    port = Number(Reflect.get(server.program.readyLine, 'httpPort'));
    url = `http://127.0.0.1:${port}`;
  });

  const post = (path: string, body: string | Uint8Array, headers: Record<string, string> = {}) =>
    fetch(url + path, {
      method: 'POST',
      body: new Uint8Array(Buffer.from(body)),
      headers: { 'Content-Type': 'application/json', ...headers },
    });
  const act = async (action: string, body: Document) => {
    const response = await post(`/action/${action}`, EJSON.stringify(body));
    const answer = await jsonOf(response);
    return { status: response.status, answer };
  };
  /** Fields that every action takes, for a collection of this test alone. */
  const fresh = () => {
    count += 1;
    return { dataSource: 'any', database: 'api', collection: `c${count}` };
  };
  const collectionOf = ({ database, collection }: ReturnType<typeof fresh>) =>
    server.client.db(database).collection<{ _id: unknown; [field: string]: unknown }>(collection);
  const openCursors = async (): Promise<number> => {
    const { metrics } = await server.client.db('admin').command({ serverStatus: 1 });
    return Number(metrics.cursor.open.total);
  };
  const eventually = async (holds: () => Promise<boolean>): Promise<void> => {
    const end = Date.now() + 5000;
    while (!(await holds())) {
      assert.ok(Date.now() < end, 'it never came true');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  describe('actions', () => {
    it('insert one document and give its id', async () => {
      const at = fresh();
      const made = await act('insertOne', { ...at, document: { a: 1 } });
      assert.equal(made.status, 201);
      const stored = await collectionOf(at).findOne({ a: 1 });
      assert.deepEqual(made.answer, { insertedId: { $oid: String(stored?.['_id']) } });
      const given = await act('insertOne', { ...at, document: { a: 2, _id: 'mine' } });
      assert.deepEqual(given.answer, { insertedId: 'mine' });
    });

    it('refuse a document that is too large, and say that it is the size', async () => {
      const namespace = fresh();
      const document = { _id: 1, text: 'x'.repeat(16 * 1024 * 1024) };
      const inserted = await act('insertOne', { ...namespace, document });
      assert.deepEqual([inserted.status, inserted.answer['code']], [413, 10334]);
      const many = await act('insertMany', { ...namespace, documents: [{ _id: 0 }, document] });
      assert.deepEqual([many.status, many.answer['code']], [413, 10334]);
      const update = { $set: { text: document.text } };
      const changed = await act('updateOne', { ...namespace, filter: {}, update, upsert: true });
      assert.deepEqual([changed.status, changed.answer['code']], [413, 17419]);
      assert.equal(await collectionOf(namespace).countDocuments(), 0);
    });

    it('insert many documents and give their ids in order', async () => {
      const at = fresh();
      const documents = [{ _id: 3 }, { _id: 1 }, { x: 1 }];
      const { status, answer } = await act('insertMany', { ...at, documents });
      assert.equal(status, 201);
      const stored = await collectionOf(at).findOne({ x: 1 });
      assert.deepEqual(answer, { insertedIds: [3, 1, { $oid: String(stored?.['_id']) }] });
    });

    it('find documents by filter, order, projection, limit and skip', async () => {
      const at = fresh();
      await collectionOf(at).insertMany([1, 2, 3, 4].map((_id) => ({ _id, half: _id % 2 })));
      const found = await act('find', {
        ...at,
        filter: { _id: { $gt: 1 } },
        sort: { _id: -1 },
        projection: { half: 0 },
        skip: 1,
        limit: 1,
      });
      assert.deepEqual([found.status, found.answer], [200, { documents: [{ _id: 3 }] }]);
      const one = await act('findOne', { ...at, filter: { half: 0 }, projection: { _id: 1 } });
      assert.deepEqual(one.answer, { document: { _id: 2 } });
      const none = await act('findOne', { ...at, filter: { _id: 9 } });
      assert.deepEqual([none.status, none.answer], [200, { document: null }]);
    });

    it('find a thousand documents unless told otherwise, and leave no cursor', async () => {
      const at = fresh();
      await collectionOf(at).insertMany(Array.from({ length: 1500 }, (_, _id) => ({ _id })));
      const before = await openCursors();
      assert.equal((await act('find', at)).answer['documents'].length, 1000);
      assert.equal((await act('find', { ...at, limit: 1200 })).answer['documents'].length, 1200);
      assert.equal(await openCursors(), before);
    });

    it('update, upsert and replace', async () => {
      const at = fresh();
      await collectionOf(at).insertMany([{ _id: 1 }, { _id: 2 }]);
      const update = { $set: { x: 1 } };
      assert.deepEqual(await act('updateOne', { ...at, filter: {}, update }), {
        status: 200,
        answer: { matchedCount: 1, modifiedCount: 1 },
      });
      assert.deepEqual((await act('updateMany', { ...at, filter: {}, update })).answer, {
        matchedCount: 2,
        modifiedCount: 1,
      });
      const pipeline = [{ $set: { y: '$x' } }];
      const piped = await act('updateMany', { ...at, filter: {}, update: pipeline });
      assert.equal(piped.answer['modifiedCount'], 2);
      const upsert = { ...at, filter: { _id: 7 }, replacement: { z: 1 }, upsert: true };
      assert.deepEqual(await act('replaceOne', upsert), {
        status: 201,
        answer: { matchedCount: 0, modifiedCount: 0, upsertedId: 7 },
      });
      assert.deepEqual(await collectionOf(at).find().sort({ _id: 1 }).toArray(), [
        { _id: 1, x: 1, y: 1 },
        { _id: 2, x: 1, y: 1 },
        { _id: 7, z: 1 },
      ]);
    });

    it('delete one document, or all that match', async () => {
      const at = fresh();
      await collectionOf(at).insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
      const filter = {};
      assert.deepEqual((await act('deleteOne', { ...at, filter })).answer, { deletedCount: 1 });
      assert.deepEqual((await act('deleteMany', { ...at, filter })).answer, { deletedCount: 2 });
    });

    it('aggregate', async () => {
      const at = fresh();
      await collectionOf(at).insertMany([{ _id: 1 }, { _id: 2 }]);
      const { answer } = await act('aggregate', { ...at, pipeline: [{ $count: 'n' }] });
      assert.deepEqual(answer, { documents: [{ n: 2 }] });
    });

    const at = { database: 'api', collection: 'refused' };
    const refusals: readonly [string, Document, number, string, RegExp][] = [
      ['find', {}, 400, 'IDLFailedToParse', /'find.database' is missing/],
      ['find', { ...at, nope: 1 }, 400, 'IDLUnknownField', /'find.nope' is an unknown field/],
      ['find', { ...at, filter: 1 }, 400, 'TypeMismatch', /wrong type 'int', expected type 'obj/],
      ['find', { ...at, limit: -1 }, 400, 'TypeMismatch', /whole number/],
      ['find', { ...at, limit: 1.5 }, 400, 'TypeMismatch', /whole number/],
      ['find', { ...at, database: 'a.b' }, 400, 'InvalidNamespace', /Invalid database name/],
      ['find', { ...at, filter: { $nope: 1 } }, 400, 'BadValue', /\$nope/],
      ['insertOne', at, 400, 'IDLFailedToParse', /document' is missing/],
      ['insertMany', { ...at, documents: [1] }, 400, 'TypeMismatch', /documents.0/],
      ['insertMany', { ...at, documents: [] }, 400, 'InvalidLength', /batch/],
      ['updateOne', { ...at, update: { a: 1 } }, 400, 'FailedToParse', /atomic operators/],
      ['updateOne', { ...at, update: {} }, 400, 'FailedToParse', /atomic operators/],
      ['replaceOne', { ...at, filter: {}, replacement: { $set: {} } }, 400, 'FailedToParse', /not/],
      ['deleteMany', at, 400, 'IDLFailedToParse', /filter' is missing/],
      ['aggregate', { ...at, pipeline: {} }, 400, 'TypeMismatch', /pipeline/],
    ];
    for (const [action, body, status, codeName, detail] of refusals) {
      it(`refuse ${action} of ${JSON.stringify(body)}`, async () => {
        const refused = await act(action, body);
        assert.deepEqual([refused.status, refused.answer['codeName']], [status, codeName]);
        assert.match(refused.answer['detail'], detail);
      });
    }

    it("say what the server's errors are, as problem details", async () => {
      const at = fresh();
      await collectionOf(at).insertOne({ _id: 1 });
      const response = await post(
        '/action/insertOne',
        JSON.stringify({ ...at, document: { _id: 1 } }),
      );
      assert.equal(response.headers.get('content-type'), 'application/problem+json');
      const problem = await jsonOf(response);
      assert.equal(problem['type'], 'about:blank');
      assert.deepEqual(
        [response.status, problem['status'], problem['code'], problem['codeName']],
        [409, 409, 11000, 'DuplicateKey'],
      );
      assert.deepEqual(problem['keyValue'], { _id: 1 });
    });

    it('end at maxTimeMS', async () => {
      const at = fresh();
      await collectionOf(at).insertOne({ _id: 1 });
      const filter = { $where: 'while (true) {}' };
      const { status, answer } = await act('find', { ...at, filter, maxTimeMS: 50 });
      assert.deepEqual([status, answer['codeName']], [504, 'MaxTimeMSExpired']);
    });
  });

  describe('commands', () => {
    const command = (body: Document, headers: Record<string, string> = {}) =>
      post('/command', EJSON.stringify(body, { relaxed: false }), headers);

    it('are answered with their reply', async () => {
      const response = await command({ ping: 1, $db: 'admin' });
      assert.deepEqual([response.status, await response.json()], [200, { ok: 1 }]);
    });

    it('that fail give a problem that holds the whole reply', async () => {
      const response = await command({ nope: 1, $db: 'admin' });
      const problem: Document = EJSON.parse(await response.text(), { relaxed: false });
      assert.deepEqual([response.status, problem['reply'].codeName], [404, 'CommandNotFound']);
      assert.ok(problem['reply'].code instanceof BSON.Int32);
    });

    it('carry error labels and the statuses of their codes', async () => {
      const at = fresh();
      const fail = async (errorCode: number) => {
        await server.client.db('admin').command({
          configureFailPoint: 'failCommand',
          mode: { times: 1 },
          data: { failCommands: ['count'], errorCode, errorLabels: ['Label'] },
        });
        const response = await command({ count: at.collection, $db: at.database });
        const problem = await jsonOf(response);
        return [response.status, problem['errorLabels'], problem['code']];
      };
      for (const [code, status] of [
        [11600, 503],
        [112, 409],
        [13, 403],
        [50, 504],
        [1, 500],
        [2, 400],
      ] as const) {
        assert.deepEqual(await fail(code), [status, ['Label'], code]);
      }
    });

    it('open cursors that others read and kill', async () => {
      const at = fresh();
      await collectionOf(at).insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
      const ask = async (body: Document): Promise<Document> => {
        const response = await command({ ...body, $db: at.database });
        return EJSON.parse(await response.text(), { relaxed: false });
      };
      const first = await ask({ find: at.collection, batchSize: 1 });
      const more = { getMore: first['cursor'].id, collection: at.collection, batchSize: 1 };
      const wide = await command(
        { find: at.collection, batchSize: 1, $db: at.database },
        { Accept: 'application/ejson' },
      );
      const { cursor } = EJSON.parse(await wide.text(), { relaxed: false });
      assert.ok(cursor.id instanceof Long || typeof cursor.id === 'bigint');
      const next = await ask({ ...more, getMore: cursor.id });
      assert.equal(next['cursor'].nextBatch.length, 1);
      const killed = await ask({ killCursors: at.collection, cursors: [cursor.id] });
      assert.equal(killed['cursorsKilled'].length, 1);
      const gone = await command({ ...more, getMore: cursor.id, $db: at.database });
      assert.equal(gone.status, 404);
    });

    it('end when their client leaves', async () => {
      const socket = connect(port, '127.0.0.1');
      const body = JSON.stringify({ sleep: 1, millis: 20_000, $db: 'admin', comment: 'left' });
      socket.write(
        `POST /command HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      const running = async () => {
        const { inprog } = await server.client.db('admin').command({ currentOp: 1 });
        return inprog.filter((each: Document) => each['command']?.comment === 'left').length > 0;
      };
      await eventually(running);
      socket.destroy();
      await eventually(async () => !(await running()));
    });
  });

  describe('lines', () => {
    const LINES = { Accept: 'application/x-ndjson' };

    it('give all documents of a long cursor, also without a limit', async () => {
      const at = fresh();
      await collectionOf(at).insertMany(Array.from({ length: 2500 }, (_, _id) => ({ _id })));
      const response = await post('/action/find', JSON.stringify(at), LINES);
      assert.equal(response.headers.get('content-type'), 'application/x-ndjson');
      const lines = (await response.text()).trimEnd().split('\n');
      assert.deepEqual([lines.length, lines[0], lines.at(-1)], [2500, '{"_id":0}', '{"_id":2499}']);
      const canonical = { Accept: 'application/x-ndjson;mode=canonical' };
      const command = { find: at.collection, limit: 1, $db: at.database };
      const exact = await post('/command', JSON.stringify(command), canonical);
      assert.equal(await exact.text(), '{"_id":{"$numberInt":"0"}}\n');
    });

    it('are refused for a command without a cursor', async () => {
      const response = await post('/command', '{"ping":1,"$db":"admin"}', LINES);
      assert.equal(response.status, 406);
    });

    it('wait for a client that reads slowly, and end their cursor when it leaves', async () => {
      const at = fresh();
      const text = 'x'.repeat(100_000);
      await collectionOf(at).insertMany(Array.from({ length: 400 }, (_, _id) => ({ _id, text })));
      const before = await openCursors();
      const socket = connect(port, '127.0.0.1');
      const body = JSON.stringify(at);
      socket.write(
        `POST /action/find HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/x-ndjson\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      await new Promise((resolve) => socket.once('readable', resolve));
      const counters = async () => {
        const { opcounters } = await server.client.db('admin').command({ serverStatus: 1 });
        return Number(opcounters.getmore);
      };
      await new Promise((resolve) => setTimeout(resolve, 300));
      const stalledAt = await counters();
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.equal(await counters(), stalledAt);
      assert.equal(await openCursors(), before + 1);
      socket.destroy();
      await eventually(async () => (await openCursors()) === before);
    });

    it('that break off end with the error and no proper end', async () => {
      const at = fresh();
      await collectionOf(at).insertMany(Array.from({ length: 300 }, (_, _id) => ({ _id })));
      await server.client.db('admin').command({
        configureFailPoint: 'failCommand',
        mode: { times: 1 },
        data: { failCommands: ['getMore'], errorCode: 2 },
      });
      const before = await openCursors();
      const response = await post('/action/find', JSON.stringify(at), LINES);
      let said = '';
      const reading = async () => {
        for await (const chunk of response.body ?? []) said += Buffer.from(chunk).toString();
      };
      await assert.rejects(reading());
      assert.match(said.trimEnd().split('\n').at(-1) ?? '', /^\{"\$error":.*"code":2/);
      await eventually(async () => (await openCursors()) === before);
    });
  });

  describe('forms', () => {
    const document = {
      int: new BSON.Int32(1),
      long: Long.fromString('9007199254740993'),
      double: new BSON.Double(1),
      id: new ObjectId('0123456789abcdef01234567'),
      date: new Date(1_600_000_000_123),
    };

    it('are BSON in and out, exactly', async () => {
      const at = fresh();
      const body = BSON.serialize({ ...at, document: { _id: 1, ...document } });
      const bson = { 'Content-Type': 'application/bson' };
      assert.equal((await post('/action/insertOne', body, bson)).status, 201);
      const found = await post('/action/findOne', BSON.serialize(at), bson);
      assert.equal(found.headers.get('content-type'), 'application/bson');
      const bytes = Buffer.from(await found.arrayBuffer());
      const answer = BSON.deserialize(bytes, { promoteValues: false });
      assert.deepEqual(answer['document'].long, document.long);
      assert.ok(answer['document'].double instanceof BSON.Double);
    });

    it('are canonical Extended JSON when asked for', async () => {
      const at = fresh();
      await collectionOf(at).insertOne({ _id: 1, ...document });
      const response = await post('/action/findOne', JSON.stringify(at), {
        Accept: 'text/html;q=0.9, application/ejson;q=0.8',
      });
      assert.equal(response.headers.get('content-type'), 'application/ejson');
      const { document: answer } = JSON.parse(await response.text());
      assert.deepEqual(answer.double, { $numberDouble: '1.0' });
      assert.deepEqual(answer.long, { $numberLong: '9007199254740993' });
    });

    it('are refused when nobody speaks them', async () => {
      const response = await post('/command', '{"ping":1,"$db":"admin"}', { Accept: 'text/html' });
      assert.equal(response.status, 406);
    });

    for (const [name, type, body] of [
      ['JSON', 'application/json', '{"ping":1,'],
      ['a JSON array', 'application/json', '[]'],
      ['a wrapper', 'application/json', '{"ping":{"$oid":"x"}}'],
      ['deep JSON', 'application/json', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`],
      ['BSON', 'application/bson', Buffer.of(9, 0, 0, 0, 1, 2, 3)],
      ['MessagePack', 'application/msgpack', Buffer.of(0x81, 0xa1, 0x61)],
      ['UTF-8', 'application/json', Buffer.from('{"ping":1,"a":"\xff","$db":"admin"}', 'latin1')],
      ['nothing', 'application/bson', ''],
      ['nothing', 'application/json', ''],
    ] as const) {
      it(`refuse malformed ${name} (${type})`, async () => {
        const response = await post('/command', body, { 'Content-Type': type });
        assert.equal(response.status, 400);
        assert.equal(response.headers.get('content-type'), 'application/problem+json');
      });
    }

    it('refuse a body that is compressed', async () => {
      const response = await post('/command', gzipSync('{"ping":1,"$db":"admin"}'), {
        'Content-Encoding': 'gzip',
      });
      assert.equal(response.status, 415);
      assert.equal(response.headers.get('accept-encoding'), 'identity');
    });

    it('refuse a body that is too large, whether it says so or not', async () => {
      const socket = connect(port, '127.0.0.1');
      socket.write(
        'POST /command HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20000000\r\n\r\n',
      );
      const said = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
      socket.destroy();
      assert.match(said.toString(), /^HTTP\/1\.1 413 /);
      let sent = 0;
      const chunks = new ReadableStream<Uint8Array>({
        // It takes its turns: fetch reads what comes at once without an end to its own.
        pull: async (controller) => {
          await new Promise((resolve) => setImmediate(resolve));
          sent += 1;
          if (sent > 60) controller.close();
          else controller.enqueue(new Uint8Array(1_000_000).fill(0x20));
        },
      });
      const init = { method: 'POST', body: chunks, duplex: 'half' as const };
      const headers = { 'Content-Type': 'application/json' };
      const endless = fetch(`${url}/command`, { ...init, headers });
      // The answer comes, or the connection ends under the body that goes on.
      const end = await endless.then(({ status }) => status).catch((error: unknown) => error);
      assert.ok(end === 413 || end instanceof TypeError);
      assert.equal((await post('/command', '{"ping":1,"$db":"admin"}')).status, 200);
    });
  });

  describe('web pages', () => {
    const PING = '{"ping":1,"$db":"admin"}';
    /** fetch sets Host and Origin by itself: a socket says what it likes. */
    const raw = (head: string, path = '/command', method = 'POST'): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1');
        const length = method === 'POST' ? PING.length : 0;
        socket.end(
          `${method} ${path} HTTP/1.1\r\n${head}Connection: close\r\nContent-Length: ${length}\r\n\r\n${length > 0 ? PING : ''}`,
        );
        let said = '';
        socket.on('data', (chunk) => (said += String(chunk)));
        socket.on('end', () => resolve(said));
        socket.on('error', reject);
      });
    const JSON_TYPE = 'Content-Type: application/json\r\n';
    const HOST = 'Host: localhost\r\n';

    for (const type of [
      'text/plain',
      'text/plain;application/json',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      it(`cannot send ${type}, which needs no preflight`, async () => {
        assert.equal((await post('/command', PING, { 'Content-Type': type })).status, 415);
      });
    }

    it('cannot send a body without a type', async () => {
      assert.match(await raw(HOST), /^HTTP\/1\.1 415 /);
    });

    for (const origin of ['http://evil.example', 'null', 'http://localhost:3000', 'file://']) {
      it(`of the origin ${origin} are refused`, async () => {
        const said = await raw(`${HOST}${JSON_TYPE}Origin: ${origin}\r\n`);
        assert.match(said, /^HTTP\/1\.1 403 /);
        assert.doesNotMatch(said, /access-control-allow/i);
        assert.match(await raw(`${HOST}Origin: ${origin}\r\n`, '/command', 'OPTIONS'), / 403 /);
        assert.match(await raw(`${HOST}Origin: ${origin}\r\n`, '/metrics', 'GET'), / 403 /);
      });
    }

    it('cannot load anything as an image or a script', async () => {
      const said = await raw(`${HOST}Sec-Fetch-Site: cross-site\r\n`, '/metrics', 'GET');
      assert.match(said, /^HTTP\/1\.1 403 /);
    });

    for (const host of ['evil.example', 'evil.example:80', '127.0.0.1.evil.example', '', 'a b']) {
      it(`do not reach it by the name '${host}'`, async () => {
        assert.match(await raw(`Host: ${host}\r\n${JSON_TYPE}`), /^HTTP\/1\.1 4(21|00) /);
        assert.match(await raw(`Host: ${host}\r\n`, '/metrics', 'GET'), /^HTTP\/1\.1 4(21|00) /);
      });
    }

    for (const host of [
      'localhost',
      'LOCALHOST:1',
      '127.0.0.1',
      '[::1]:80',
      'db.example',
      '10.1.2.3',
    ]) {
      it(`and programs reach it by the name '${host}'`, async () => {
        assert.match(await raw(`Host: ${host}\r\n${JSON_TYPE}`), /^HTTP\/1\.1 200 /);
      });
    }

    it('of the server itself, and of a configured origin, are let in', async () => {
      const own = await raw(`Host: localhost:99\r\n${JSON_TYPE}Origin: http://localhost:99\r\n`);
      assert.match(own, /^HTTP\/1\.1 200 /);
      const allowed = await raw(`${HOST}${JSON_TYPE}Origin: ${ALLOWED}\r\n`);
      assert.match(allowed, /access-control-allow-origin: https:\/\/app\.example/i);
      const preflight = await raw(`${HOST}Origin: ${ALLOWED}\r\n`, '/command', 'OPTIONS');
      assert.match(preflight, /^HTTP\/1\.1 204 [^]*access-control-allow-methods: GET, POST/i);
    });

    it('may look at its health, as anybody may', async () => {
      assert.match(await raw('Host: any.example\r\n', '/healthz', 'GET'), /^HTTP\/1\.1 200 /);
    });
  });

  it('answers paths and methods that are not there with problems', async () => {
    assert.equal((await post('/action/nope', '{}')).status, 404);
    const otherMethod = await fetch(`${url}/action/find`);
    assert.deepEqual([otherMethod.status, otherMethod.headers.get('allow')], [405, 'POST']);
    assert.equal((await post('/metrics', '{}')).status, 405);
  });

  it('serves an OpenAPI document of exactly its routes', async () => {
    const document = await jsonOf(await fetch(`${url}/openapi.json`));
    assert.equal(document['openapi'], '3.1.0');
    const operations = Object.entries<Document>(document['paths']).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [method, path] as const),
    );
    assert.equal(operations.length, 15);
    for (const [method, path] of operations) {
      const response = await fetch(url + path, {
        method: method.toUpperCase(),
        ...(method === 'post'
          ? { body: '{}', headers: { 'Content-Type': 'application/json' } }
          : {}),
      });
      assert.ok(![404, 405].includes(response.status), `${method} ${path}`);
      const described = document['paths'][path][method];
      const isDescribed = described.responses[response.status] ?? described.responses.default;
      const type = (response.headers.get('content-type') ?? '').split(';')[0] ?? '';
      assert.ok(type in isDescribed.content, `${method} ${path} answers with ${type}`);
      await response.arrayBuffer();
    }
    const { properties, required } =
      document['paths']['/action/updateOne'].post.requestBody.content['application/json'].schema;
    assert.deepEqual(required, ['database', 'collection', 'update']);
    assert.ok('upsert' in properties);
  });
});
