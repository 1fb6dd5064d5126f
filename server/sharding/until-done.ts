/**
 * Work in the background that goes on until nothing is left of it, whatever fails on the way.
 */
import type { OperationContext } from '../operation/operation-context.ts';
import type { RoleHost } from '../role.ts';

/** Until the next try, when something is in the way. */
const RETRY_MS = 500;

/** @param work says whether something is left. Never throws; ends with the server, too */
export async function untilDone(
  host: RoleHost,
  name: string,
  work: (op: OperationContext) => Promise<boolean>,
): Promise<void> {
  while (!host.service.isStopping) {
    const isLeft = await host
      .background(name, async (op) => {
        try {
          if (!(await work(op))) return false;
        } catch (error) {
          if (op.reason !== undefined) throw error;
          report(host, name, error);
        }
        await op.sleep(RETRY_MS);
        return true;
      })
      // Killed by an operator, or by the end of the server.
      .catch(() => true);
    if (!isLeft) return;
  }
}

function report(host: RoleHost, name: string, error: unknown): void {
  host.service.log.write({
    severity: 'W',
    component: 'CONTROL',
    id: 2_600_002,
    message: 'Work of migrations failed; it is tried again',
    attributes: { name, error: String(error) },
  });
}
