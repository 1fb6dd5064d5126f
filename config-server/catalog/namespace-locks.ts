/**
 * One change of a namespace's metadata at a time: whoever comes second sees what the first has done.
 *
 * Compare-and-set alone would be safe; in turn nobody has to try again.
 */
export class NamespaceLocks {
  private readonly last = new Map<string, Promise<void>>();

  /** Runs `work` when those before it for this name have ended, however they did. */
  async run<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.last.get(name) ?? Promise.resolve();
    const result = before.then(work);
    const ended = result.then(
      () => {},
      () => {},
    );
    this.last.set(name, ended);
    try {
      return await result;
    } finally {
      if (this.last.get(name) === ended) this.last.delete(name);
    }
  }
}
