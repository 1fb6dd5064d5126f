/**
 * Tells systemd when the server is ready and when it stops (Type=notify).
 *
 * Node.js has no datagram sockets of the Unix kind, which is what systemd listens on: its own tool speaks for us. The unit
 * needs NotifyAccess=all for that. Outside of systemd nothing happens.
 * Source: systemd's manual, sd_notify(3) and systemd-notify(1).
 */
import { execFile } from 'node:child_process';

export function tellServiceManager(state: '--ready' | '--stopping'): void {
  if (process.env['NOTIFY_SOCKET'] === undefined) return;
  // Without the tool the manager waits until it loses patience, which its own log says.
  execFile('systemd-notify', [state, `--pid=${process.pid}`], () => {});
}
