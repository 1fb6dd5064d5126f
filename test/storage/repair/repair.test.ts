import assert from 'node:assert/strict';
import {
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  open,
  readdir,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, afterEach, describe, it } from 'mocha';
import { CorruptionError, type CorruptionKind } from '../../../common/errors.ts';
import { decodeSuperblock, type Superblock } from '../../../storage/format/superblock.ts';
import { systemClock } from '../../../common/clock.ts';
import { SeededRandom, systemRandom } from '../../../common/random.ts';
import { openEngine, verifyStore } from '../../../storage/index.ts';
import {
  assertContents,
  hashesOf,
  makeImage,
  repair,
  type Contents,
  type Image,
} from './store-image.ts';

/** A fault, how the start names it, and what repair brings back of it. */
interface Case {
  readonly fault: string;
  readonly inflict: (dbpath: string, others: Others) => Promise<void>;
  /** Absent: the store opens all the same. */
  readonly named?: { readonly kind: CorruptionKind; readonly part: RegExp };
  readonly back: 'all' | 'base';
  /** Kinds among the findings of the repair. */
  readonly found: readonly string[];
}

/** Directories to take other files from. */
interface Others {
  /** Another store. */
  readonly foreign: string;
  /** This store as it was earlier. */
  readonly older: string;
}

const INDEX_STORE = 'index.lmdb';
const BLOCKS = 'blocks.flint';

const CASES: readonly Case[] = [
  {
    fault: 'no damage at all',
    inflict: () => Promise.resolve(),
    back: 'all',
    found: [],
  },
  {
    fault: 'an index store that is deleted',
    inflict: (dbpath) => rm(join(dbpath, INDEX_STORE)),
    named: { kind: 'missing', part: /index store/ },
    back: 'all',
    found: ['missing'],
  },
  {
    fault: 'an empty index store',
    inflict: (dbpath) => truncate(join(dbpath, INDEX_STORE), 0),
    named: { kind: 'missing', part: /index store/ },
    back: 'all',
    found: ['missing'],
  },
  {
    fault: 'an index store that is not LMDB’s',
    inflict: (dbpath) => writeFile(join(dbpath, INDEX_STORE), Buffer.alloc(100_000, 'hello')),
    named: { kind: 'malformed', part: /index store/ },
    back: 'all',
    found: ['malformed'],
  },
  {
    fault: 'an index store cut after its first pages',
    inflict: (dbpath) => truncate(join(dbpath, INDEX_STORE), 16_384),
    named: { kind: 'malformed', part: /index store/ },
    back: 'all',
    found: ['malformed'],
  },
  {
    fault: 'an index store cut in the middle',
    async inflict(dbpath) {
      const path = join(dbpath, INDEX_STORE);
      const { size } = await stat(path);
      await truncate(path, Math.floor(size / 8192) * 4096);
    },
    named: { kind: 'malformed', part: /index store/ },
    back: 'all',
    found: ['malformed'],
  },
  {
    fault: 'an index store with a flipped bit in both meta pages',
    async inflict(dbpath) {
      await flip(join(dbpath, INDEX_STORE), 24);
      await flip(join(dbpath, INDEX_STORE), 4096 + 24);
    },
    named: { kind: 'malformed', part: /index store/ },
    back: 'all',
    found: ['malformed'],
  },
  {
    fault: 'an index store of another store',
    inflict: (dbpath, { foreign }) => replace(INDEX_STORE, foreign, dbpath),
    named: { kind: 'foreign', part: /index store/ },
    back: 'all',
    found: ['foreign'],
  },
  {
    fault: 'an older copy of the index store',
    inflict: (dbpath, { older }) => replace(INDEX_STORE, older, dbpath),
    named: { kind: 'older', part: /index store/ },
    back: 'all',
    found: ['older'],
  },
  {
    fault: 'an index store whose tree is overwritten',
    async inflict(dbpath) {
      const path = join(dbpath, INDEX_STORE);
      const { size } = await stat(path);
      const file = await open(path, 'r+');
      await file.write(Buffer.alloc(size - 8192, 0xa5), 0, size - 8192, 8192);
      await file.close();
      // As the start that it killed leaves it.
      await writeFile(join(dbpath, 'index.lmdb.being-opened'), '');
    },
    named: { kind: 'malformed', part: /index store/ },
    back: 'all',
    found: ['malformed'],
  },
  {
    fault: 'entries of the index store rotten',
    async inflict(dbpath) {
      const path = join(dbpath, INDEX_STORE);
      const bytes = await readFile(path);
      // The namespace within a catalog record: neither LMDB nor its keys are touched.
      for (let at = bytes.indexOf('test.a'); at >= 0; at = bytes.indexOf('test.a', at + 1)) {
        bytes[at + 5] ^= 1;
      }
      await writeFile(path, bytes);
    },
    named: { kind: 'checksum', part: /index store entry/ },
    back: 'all',
    found: ['checksum'],
  },
  {
    fault: 'one superblock copy rotten',
    inflict: (dbpath) => flip(join(dbpath, BLOCKS), 60),
    back: 'all',
    found: ['checksum'],
  },
  {
    fault: 'both superblock copies rotten',
    async inflict(dbpath) {
      await flip(join(dbpath, BLOCKS), 60);
      await flip(join(dbpath, BLOCKS), 512 * 1024 + 60);
    },
    named: { kind: 'checksum', part: /superblock/ },
    back: 'all',
    found: ['checksum', 'checksum'],
  },
  {
    fault: 'both superblock copies and the index store gone',
    async inflict(dbpath) {
      await flip(join(dbpath, BLOCKS), 60);
      await flip(join(dbpath, BLOCKS), 512 * 1024 + 60);
      await rm(join(dbpath, INDEX_STORE));
    },
    named: { kind: 'checksum', part: /superblock/ },
    back: 'all',
    found: ['checksum', 'checksum', 'missing'],
  },
  {
    fault: 'the last manifest rotten',
    async inflict(dbpath) {
      const base = await latestBase(dbpath);
      await flip(join(dbpath, BLOCKS), base.manifestAddress * 4096 + 100);
    },
    named: { kind: 'checksum', part: /page/ },
    back: 'all',
    found: ['checksum'],
  },
  {
    fault: 'the last manifest rotten and the index store gone',
    async inflict(dbpath) {
      const base = await latestBase(dbpath);
      await flip(join(dbpath, BLOCKS), base.manifestAddress * 4096 + 100);
      await rm(join(dbpath, INDEX_STORE));
    },
    named: { kind: 'missing', part: /index store/ },
    back: 'all',
    found: ['missing', 'checksum'],
  },
  {
    fault: 'an older copy of the block store',
    inflict: (dbpath, { older }) => replace(BLOCKS, older, dbpath),
    // The index store may be one checkpoint ahead of the superblock, but its manifest must be there.
    named: { kind: 'lostWrite', part: /manifest of checkpoint 2: blocks\.flint, offset/ },
    back: 'all',
    found: ['lostWrite'],
  },
  {
    fault: 'an older copy of the journal',
    async inflict(dbpath, { older }) {
      await rm(join(dbpath, 'journal'), { recursive: true });
      await cp(join(older, 'journal'), join(dbpath, 'journal'), { recursive: true });
    },
    named: { kind: 'older', part: /journal segment/ },
    back: 'base',
    found: ['older'],
  },
  {
    fault: 'a journal of another store',
    async inflict(dbpath, { foreign }) {
      await rm(join(dbpath, 'journal'), { recursive: true });
      await cp(join(foreign, 'journal'), join(dbpath, 'journal'), { recursive: true });
    },
    named: { kind: 'foreign', part: /journal segment/ },
    back: 'base',
    found: ['foreign', 'foreign', 'foreign', 'missing'],
  },
  {
    fault: 'a journal that is deleted',
    inflict: (dbpath) => rm(join(dbpath, 'journal'), { recursive: true }),
    named: { kind: 'missing', part: /journal/ },
    back: 'base',
    found: ['missing'],
  },
  {
    fault: 'a journal and an index store that are deleted',
    async inflict(dbpath) {
      await rm(join(dbpath, 'journal'), { recursive: true });
      await rm(join(dbpath, INDEX_STORE));
    },
    named: { kind: 'missing', part: /index store/ },
    back: 'base',
    found: ['missing', 'missing'],
  },
];

describe('flint repair', () => {
  let root: string;
  let image: Image;
  let dbpath: string;
  let others: Others;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'flint-repair-'));
    others = { foreign: join(root, 'foreign'), older: join(root, 'older') };
    for (const name of ['original', 'foreign', 'older']) await mkdir(join(root, name));
    image = await makeImage(join(root, 'original'), others.older);
    await makeImage(others.foreign);
  });

  after(() => rm(root, { recursive: true, force: true }));

  beforeEach(async () => {
    dbpath = join(root, 'damaged');
    await cp(join(root, 'original'), dbpath, { recursive: true });
  });

  afterEach(() => rm(dbpath, { recursive: true, force: true }));

  for (const { fault, inflict, named, back, found } of CASES) {
    it(`brings back ${back === 'all' ? 'everything' : 'the last checkpoint'} after ${fault}`, async () => {
      await inflict(dbpath, others);
      if (named !== undefined) await assertRefused(dbpath, named);
      const report = await repair(dbpath);
      assert.deepEqual(
        report.findings.map(({ kind }) => kind),
        found,
      );
      const expected: Contents = back === 'all' ? image.all : image.base;
      await assertContents(dbpath, expected);
      const left = await readdir(dbpath);
      assert.deepEqual(
        left
          .filter((name) => /rebuilt|before-repair|under-way/.test(name))
          .filter((name) => !name.startsWith('journal.')),
        [],
      );
    });
  }
});

describe('A block store of another store', () => {
  it('is refused by the start and by repair, which leaves index store and journal as they are', async () => {
    const root = await mkdtemp(join(tmpdir(), 'flint-repair-'));
    const [own, other] = [join(root, 'own'), join(root, 'other')];
    try {
      for (const dbpath of [own, other]) {
        await mkdir(dbpath);
        await makeImage(dbpath);
      }
      await replace(BLOCKS, other, own);
      const before = await hashesOf(own);
      await assertRefused(own, { kind: 'foreign', part: /index store/ });
      await assert.rejects(repair(own), /put the right blocks\.flint back/);
      const after = await hashesOf(own);
      for (const name of [INDEX_STORE, 'journal/0000000001']) {
        assert.equal(after.get(join(own, name)), before.get(join(own, name)));
      }
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});

describe('An index store with a flipped bit', () => {
  it('is named by verify or was not touched by it, and is made anew by repair, wherever the bit lies', async () => {
    const root = await mkdtemp(join(tmpdir(), 'flint-repair-'));
    const original = join(root, 'original');
    const dbpath = join(root, 'damaged');
    await mkdir(original);
    const image = await makeImage(original);
    const random = new SeededRandom(7);
    let named = 0;
    try {
      for (let round = 0; round < 3; round += 1) {
        await cp(original, dbpath, { recursive: true });
        const path = join(dbpath, INDEX_STORE);
        const { size } = await stat(path);
        await flip(path, round === 0 ? 48 : random.below(size));
        const options = { dbpath, clock: systemClock, random: systemRandom };
        const report = await verifyStore({ ...options, keyGenerators: () => undefined });
        if (report.sound) await assertContents(dbpath, image.all);
        else named += 1;
        await repair(dbpath);
        await assertContents(dbpath, image.all);
        await rm(dbpath, { recursive: true });
      }
      assert.ok(named > 0);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  }).timeout(60_000);
});

async function replace(name: string, from: string, to: string): Promise<void> {
  await copyFile(join(from, name), join(to, name));
}

async function assertRefused(
  dbpath: string,
  { kind, part }: { readonly kind: CorruptionKind; readonly part: RegExp },
): Promise<void> {
  await assert.rejects(openEngine({ dbpath, checkpointIntervalMs: 0 }), (error) => {
    assert.ok(error instanceof CorruptionError, String(error));
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, part);
    return true;
  });
}

/** What the newer superblock recorded. */
async function latestBase(dbpath: string): Promise<Superblock> {
  const bytes = await readFile(join(dbpath, BLOCKS));
  const copies = [0, 1].map((copy) => decodeSuperblock(bytes.subarray(copy * 512 * 1024), copy));
  return copies[0].sequence > copies[1].sequence ? copies[0] : copies[1];
}

async function flip(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, offset);
  byte[0] ^= 0x10;
  await file.write(byte, 0, 1, offset);
  await file.close();
}
