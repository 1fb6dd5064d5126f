/** connectionStatus: who this connection has logged in as. */
import { unrestricted } from '../../auth/principal.ts';
import { defineCommand } from '../../command/define-command.ts';

export const connectionStatus = defineCommand({
  name: 'connectionStatus',
  help: 'Shows who this connection acts for.',
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'router',
  apiVersions: ['1'],
  beforeAuth: true,
  lenient: true,
  parse: (body) => body.safeBoolean('showPrivileges', false),
  execute: (showPrivileges) => showPrivileges,
  reply: (showPrivileges, op) => {
    const principal = op.connection?.principal ?? unrestricted;
    return {
      authInfo: {
        authenticatedUsers: principal.users,
        authenticatedUserRoles: principal.roles,
        authenticatedUserPrivileges: showPrivileges ? [] : undefined,
      },
    };
  },
});
