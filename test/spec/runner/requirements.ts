/**
 * Which cases a server can run: runOnRequirements.
 */
import type { Document, MongoClient } from 'mongodb';
import type { RunOnRequirement } from './format.ts';
import { matches } from './match.ts';

/** What the runner has learned of a server. */
export interface ServerTraits {
  /** As buildInfo says it. */
  readonly version: string;
  readonly topology: 'single' | 'replicaset' | 'sharded';
  readonly parameters: Document;
}

export async function traitsOf(client: MongoClient): Promise<ServerTraits> {
  const admin = client.db('admin');
  const { version } = await admin.command({ buildInfo: 1 });
  const hello = await admin.command({ hello: 1 });
  const topology =
    hello['setName'] !== undefined
      ? 'replicaset'
      : hello['msg'] === 'isdbgrid'
        ? 'sharded'
        : 'single';
  const parameters = await admin.command({ getParameter: '*' });
  return { version, topology, parameters };
}

/** Whether one of the alternatives holds; a missing list always does. */
export function holds(
  alternatives: readonly RunOnRequirement[] | undefined,
  traits: ServerTraits,
): boolean {
  return alternatives === undefined || alternatives.some((each) => isMet(each, traits));
}

function isMet(requirement: RunOnRequirement, traits: ServerTraits): boolean {
  const { minServerVersion, maxServerVersion, topologies, serverParameters } = requirement;
  if (minServerVersion !== undefined && compareVersions(traits.version, minServerVersion) < 0) {
    return false;
  }
  if (maxServerVersion !== undefined && compareVersions(traits.version, maxServerVersion) > 0) {
    return false;
  }
  if (topologies !== undefined && !topologies.some((name) => isTopology(name, traits))) {
    return false;
  }
  // Neither authentication nor encryption by the client is set up here.
  if (requirement.auth === true || requirement.authMechanism !== undefined) return false;
  if (requirement.csfle !== undefined && requirement.csfle !== false) return false;
  if (requirement.serverless === 'require') return false;
  return Object.entries(serverParameters ?? {}).every(([name, value]) =>
    matches(value, traits.parameters[name]),
  );
}

function isTopology(name: string, traits: ServerTraits): boolean {
  return (
    name === traits.topology || (name === 'sharded-replicaset' && traits.topology === 'sharded')
  );
}

/** Numbers between dots; what is missing counts as zero. */
function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((version) => version.split('.').map(Number.parseFloat));
  for (let part = 0; part < 3; part += 1) {
    const difference = (a[part] ?? 0) - (b[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
