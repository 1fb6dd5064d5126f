/**
 * How news of one server change what is known of a deployment, and which servers are chosen of it.
 */
import assert from 'node:assert/strict';
import { ObjectId, type Document } from 'bson';
import { ReadPreference } from '../../../client/index.ts';
import { ServerDescription } from '../../../client/transport/wire/server-description.ts';
import { suitableServers } from '../../../client/transport/wire/server-selection.ts';
import { TopologyDescription } from '../../../client/transport/wire/topology-description.ts';

const WIRE = { ok: 1, minWireVersion: 0, maxWireVersion: 25 };
const MEMBERS = { ...WIRE, setName: 'rs', hosts: ['a:1', 'b:1', 'c:1'] };
const ELECTION_1 = new ObjectId('7fffffff0000000000000001');
const ELECTION_2 = new ObjectId('7fffffff0000000000000002');

function topologyOf(
  addresses: readonly string[],
  {
    type = 'Unknown',
    setName = null,
  }: { type?: TopologyDescription['type']; setName?: string | null } = {},
): TopologyDescription {
  const servers = new Map(addresses.map((address) => [address, new ServerDescription(address)]));
  return new TopologyDescription(
    { type, servers, setName, maxSetVersion: null, maxElectionId: null },
    { heartbeatFrequencyMS: 10_000, localThresholdMS: 15, seedCount: addresses.length },
  );
}

const said = (address: string, hello: Document, roundTripTime = 1): ServerDescription =>
  new ServerDescription(address, hello, { roundTripTime });
const primary = (address: string, electionId = ELECTION_1): ServerDescription =>
  said(address, { ...MEMBERS, isWritablePrimary: true, setVersion: 1, electionId });
const secondary = (address: string, fields: Document = {}, roundTripTime = 1): ServerDescription =>
  said(address, { ...MEMBERS, secondary: true, ...fields }, roundTripTime);

const typesOf = ({ servers }: TopologyDescription): Record<string, string> =>
  Object.fromEntries([...servers].map(([address, { type }]) => [address, type]));

describe('what is known of a deployment', () => {
  it('becomes single with a standalone that is the only seed', () => {
    assert.equal(topologyOf(['a:1']).update(said('a:1', WIRE)).type, 'Single');
  });

  it('loses a standalone that is one of several seeds', () => {
    const topology = topologyOf(['a:1', 'b:1']).update(said('a:1', WIRE));
    assert.deepEqual(typesOf(topology), { 'b:1': 'Unknown' });
  });

  it('becomes sharded with a router, and loses what is none', () => {
    const router = said('a:1', { ...WIRE, msg: 'isdbgrid' });
    const topology = topologyOf(['a:1', 'b:1']).update(router).update(said('b:1', WIRE));
    assert.equal(topology.type, 'Sharded');
    assert.deepEqual(typesOf(topology), { 'a:1': 'Mongos' });
  });

  it('learns of members from a secondary, and of the set from its primary', () => {
    let topology = topologyOf(['a:1']).update(secondary('a:1'));
    assert.equal(topology.type, 'ReplicaSetNoPrimary');
    assert.deepEqual(Object.keys(typesOf(topology)), ['a:1', 'b:1', 'c:1']);
    topology = topology.update(primary('b:1'));
    assert.equal(topology.type, 'ReplicaSetWithPrimary');
    topology = topology.update(
      new ServerDescription('b:1', undefined, { error: new Error('gone') }),
    );
    assert.equal(topology.type, 'ReplicaSetNoPrimary');
  });

  it('loses members that the primary does not name, and those of another set', () => {
    const topology = topologyOf(['a:1', 'x:1', 'y:1'], {
      type: 'ReplicaSetNoPrimary',
      setName: 'rs',
    })
      .update(secondary('y:1', { setName: 'other' }))
      .update(primary('a:1'));
    assert.deepEqual(Object.keys(typesOf(topology)), ['a:1', 'b:1', 'c:1']);
  });

  it('has one primary: the one of the later election', () => {
    let topology = topologyOf(['a:1', 'b:1'], { type: 'ReplicaSetNoPrimary', setName: 'rs' })
      .update(primary('a:1', ELECTION_1))
      .update(primary('b:1', ELECTION_2));
    assert.deepEqual(typesOf(topology), { 'a:1': 'Unknown', 'b:1': 'RSPrimary', 'c:1': 'Unknown' });
    topology = topology.update(primary('a:1', ELECTION_1));
    assert.deepEqual(typesOf(topology), { 'a:1': 'Unknown', 'b:1': 'RSPrimary', 'c:1': 'Unknown' });
  });

  it('says which server is too old', () => {
    const topology = topologyOf(['a:1']).update(
      said('a:1', { ok: 1, minWireVersion: 0, maxWireVersion: 5 }),
    );
    assert.equal(topology.compatible, false);
    assert.match(topology.compatibilityError ?? '', /a:1 reports maximum wire version 5/);
  });
});

describe('which servers are chosen', () => {
  const set = topologyOf(['a:1', 'b:1', 'c:1'], { type: 'ReplicaSetNoPrimary', setName: 'rs' })
    .update(primary('a:1'))
    .update(secondary('b:1', { tags: { dc: 'x' } }, 5))
    .update(secondary('c:1', { tags: { dc: 'y' } }, 100));
  const chosen = (readPreference: ReadPreference, of = set): string[] =>
    suitableServers(of, readPreference).map(({ address }) => address);

  const CASES: [string, ReadPreference, string[]][] = [
    ['primary', ReadPreference.primary, ['a:1']],
    ['primaryPreferred', ReadPreference.primaryPreferred, ['a:1']],
    ['secondary, near', ReadPreference.secondary, ['b:1']],
    ['secondary with tags', new ReadPreference('secondary', [{ dc: 'y' }]), ['c:1']],
    [
      'secondary with tags of nobody, then any',
      new ReadPreference('secondary', [{ dc: 'z' }, {}]),
      ['b:1'],
    ],
    [
      'secondaryPreferred with tags of nobody',
      new ReadPreference('secondaryPreferred', [{ dc: 'z' }]),
      ['a:1'],
    ],
    ['nearest', ReadPreference.nearest, ['a:1', 'b:1']],
  ];
  for (const [name, readPreference, expected] of CASES) {
    it(`by ${name}: ${expected.join(', ')}`, () => {
      assert.deepEqual(chosen(readPreference), expected);
    });
  }

  it('are none while nothing is known', () => {
    assert.deepEqual(chosen(ReadPreference.nearest, topologyOf(['a:1'])), []);
  });

  it('must be fresh enough, which takes at least ninety seconds to tell', () => {
    assert.throws(
      () => chosen(new ReadPreference('secondary', undefined, { maxStalenessSeconds: 30 })),
      /at least 90 seconds/,
    );
  });
});
