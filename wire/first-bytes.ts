/**
 * Recognises who is at the wrong door: a browser, or a TLS client on a plain port.
 *
 * Why: their first bytes, read as a message length, give an error that explains nothing to whoever misconfigured them.
 */

export type FirstBytes = 'message' | 'http' | 'tls' | 'unknown';

/** What a web browser or an HTTP health check is told, as mongod tells it. */
export const HTTP_ANSWER = httpAnswer(
  'It looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n',
);

function httpAnswer(text: string): string {
  return [
    'HTTP/1.0 200 OK',
    'Connection: close',
    'Content-Type: text/plain',
    `Content-Length: ${text.length}`,
    '',
    text,
  ].join('\r\n');
}

const HTTP_METHODS = ['GET ', 'HEAD', 'POST', 'PUT ', 'OPTI'];
/** Record type of a TLS handshake, followed by major version 3. */
const TLS_HANDSHAKE = 0x16;

/** @param first the first chunk of a connection; `unknown` if it has fewer than four bytes. */
export function recogniseFirstBytes(first: Buffer): FirstBytes {
  if (first.length < 4) return 'unknown';
  if (HTTP_METHODS.includes(first.toString('latin1', 0, 4))) return 'http';
  if (first[0] === TLS_HANDSHAKE && first[1] === 3) return 'tls';
  return 'message';
}
