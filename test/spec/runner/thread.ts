/**
 * A thread entity: operations that run one after the other, beside the others of the case.
 */
export class Thread {
  private last: Promise<void> = Promise.resolve();

  /** Starts after what the thread has still to do. */
  run(operation: () => Promise<void>): void {
    const next = this.last.then(operation);
    // Its failure is reported by `finished`; until then nobody else looks.
    next.catch(() => undefined);
    this.last = next;
  }

  /** Resolves when everything has run. @throws what the first failed operation threw, or Error after the time. */
  async finished(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('the thread does not end')), timeoutMs);
    });
    try {
      await Promise.race([this.last, tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }
}
