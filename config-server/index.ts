/**
 * The door of config-server/: the role that owns a cluster's metadata.
 */
export { EmbeddedTopology, type EmbeddedTopologyOptions } from './topology/embedded-topology.ts';
export { createConfigServerRole, type ConfigServerRoleOptions } from './role.ts';
