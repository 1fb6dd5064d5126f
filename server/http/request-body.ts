/**
 * Reads the bodies of requests, and knows how many bytes of them are held at a time.
 *
 * Promises: no body beyond its limit is held; together they stay within a budget, beyond which requests are asked to come back.
 */
import { HttpRefusal } from './problem.ts';

/** Bytes of all bodies that are held at a time. */
const BUDGET_BYTES = 128 * 1024 * 1024;

export class RequestBodies {
  private heldBytes = 0;

  /**
   * The whole body.
   * @param use works on it; what is held counts until its promise settles.
   * @throws HttpRefusal 413, 503.
   */
  async with<T>(request: Request, maxBytes: number, use: (body: Buffer) => Promise<T>): Promise<T> {
    const announced = Number(request.headers.get('content-length') ?? 0);
    if (announced > maxBytes) throw tooLarge(maxBytes);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      if (request.body !== null) {
        for await (const chunk of request.body) {
          bytes += chunk.length;
          this.heldBytes += chunk.length;
          if (bytes > maxBytes) throw tooLarge(maxBytes);
          if (this.heldBytes > BUDGET_BYTES) throw busy();
          chunks.push(chunk);
        }
      }
      return await use(Buffer.concat(chunks));
    } finally {
      this.heldBytes -= bytes;
    }
  }
}

function tooLarge(maxBytes: number): HttpRefusal {
  return new HttpRefusal(413, `The body of this request may have ${maxBytes} bytes.`, {
    Connection: 'close',
  });
}

function busy(): HttpRefusal {
  return new HttpRefusal(503, 'Too many large requests are under way.', {
    Connection: 'close',
    'Retry-After': '1',
  });
}
