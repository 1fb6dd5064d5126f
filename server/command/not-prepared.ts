/**
 * What a command throws that has met something it has to wait for where it cannot wait: a script in its `let`.
 *
 * Promises: nothing has been done by then; the command is run again from its plan on, and finds what it asked for.
 */
export class NotPrepared extends Error {
  readonly prepare: () => Promise<void>;

  constructor(prepare: () => Promise<void>) {
    super('a part of the command is not prepared yet');
    this.prepare = prepare;
  }
}
