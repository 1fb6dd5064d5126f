/**
 * The door of client/: what `import … from 'flintdb'` gives.
 *
 * Names are the official driver's, so that a script runs with the import changed; FlintClient and the Flint errors are the
 * same classes under our own names.
 */
export { FlintClient, FlintClient as MongoClient } from './flint-client.ts';
export * from './gridfs/bucket.ts';
export * from './gridfs/read-stream.ts';
export * from './gridfs/write-stream.ts';
export * from './portable.ts';
export {
  Cluster,
  ClusterError,
  layOutCluster,
  openCluster,
  startCluster,
  type ClusterLayout,
  type ClusterMember,
  type MemberState,
  type StartClusterOptions,
} from './testing/start-cluster.ts';
export {
  startServer,
  TestServer,
  type Failure,
  type StartServerOptions,
} from './testing/start-server.ts';
