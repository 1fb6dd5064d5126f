/**
 * Commands from HTTP on this server's own dispatch: each request has a connection's context of its own.
 *
 * Promises: a client that leaves interrupts its operation, as on the wire port.
 */
import { unrestricted } from '../auth/principal.ts';
import type { Dispatcher } from '../command/dispatch.ts';
import type { ClientConnection } from '../operation/client-connection.ts';
import { clientGone } from '../operation/interruptions.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import type { CommandCaller, CommandRunner } from './command-runner.ts';

export function dispatcherRunner(dispatcher: Dispatcher): CommandRunner {
  return {
    run(command, caller) {
      let operation: OperationContext | undefined;
      const onAbort = (): void => operation?.interrupt(clientGone());
      const answer = dispatcher.run(
        { bytes: command, sequences: [] },
        connectionOf(caller),
        (started) => {
          operation = started;
          if (caller.signal.aborted) onAbort();
        },
      );
      if (!(answer instanceof Promise)) return answer.kind === 'reply' ? answer.body : undefined;
      caller.signal.addEventListener('abort', onAbort, { once: true });
      return answer.then((ready) => {
        caller.signal.removeEventListener('abort', onAbort);
        return ready.kind === 'reply' ? ready.body : undefined;
      });
    },
  };
}

function connectionOf(caller: CommandCaller): ClientConnection {
  return {
    id: caller.connectionId,
    remote: caller.remote,
    principal: unrestricted,
    metadata: undefined,
    appName: 'HTTP API',
    handshakeDone: true,
    compressors: [],
    abort: caller.disconnect,
  };
}
