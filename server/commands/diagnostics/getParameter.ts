/** getParameter: one, several or all server parameters. */
import { uassert } from '../../../common/assert.ts';
import { fieldsOf, type RawValue } from '../../../bson/index.ts';
import { defineCommand } from '../../command/define-command.ts';
import type { ReplyFields, ReplyValue } from '../../command/reply.ts';
import type { ParameterSet } from '../../options/parameters.ts';
import { FEATURE_COMPATIBILITY_VERSION } from '../../version.ts';

interface Request {
  /** undefined: all. */
  readonly names: readonly string[] | undefined;
  readonly details: boolean;
}

/** What getParameter shows and nobody can set. */
export const FIXED_PARAMETERS: Readonly<Record<string, ReplyValue>> = {
  authenticationMechanisms: [],
  featureCompatibilityVersion: { version: FEATURE_COMPATIBILITY_VERSION },
  // Nothing is logged for being more talkative; shells show it.
  logComponentVerbosity: { verbosity: 0 },
  logLevel: 0,
  maxBSONDepth: 200,
  supportsCommittedReads: true,
};

export const getParameter = defineCommand({
  name: 'getParameter',
  help: 'Shows server parameters.',
  kind: 'admin',
  access: { action: 'getParameter', on: 'cluster' },
  route: 'router',
  adminOnly: true,
  parse(body): Request {
    const target = body.target;
    const fields = body.fields();
    const names = fields.map((field) => field.name);
    if (target.typeName === 'string' && target.asString() === '*') {
      return { names: undefined, details: false };
    }
    const options = target.typeName === 'object' ? detailsOf(target) : undefined;
    if (options?.all === true) return { names: undefined, details: options.details };
    const asksForAll = fields.some(
      (field) => field.name === 'allParameters' && field.value.isTruthy(),
    );
    return { names: asksForAll ? undefined : names, details: options?.details ?? false };
  },
  execute(request, op) {
    const found = collect(request, op.service.parameters);
    uassert(Object.keys(found).length > 0, 'InvalidOptions', 'no option found to get');
    return found;
  },
  reply: (found) => found,
});

function detailsOf(target: RawValue): { details: boolean; all: boolean } {
  const flags = { details: false, all: false };
  for (const [name, value] of fieldsOf(target.asDocument())) {
    if (name === 'showDetails') flags.details = value.isTruthy();
    if (name === 'allParameters') flags.all = value.isTruthy();
  }
  return flags;
}

function collect({ names, details }: Request, parameters: ParameterSet): ReplyFields {
  const found: Record<string, ReplyValue> = {};
  const wanted = (name: string): boolean => names === undefined || names.includes(name);
  for (const parameter of parameters.all()) {
    if (!wanted(parameter.name)) continue;
    const value = parameters.lookUp(parameter.name);
    found[parameter.name] = details
      ? {
          value,
          settableAtRuntime: parameter.setAtRuntime,
          settableAtStartup: parameter.setAtStartup,
        }
      : value;
  }
  for (const [name, value] of Object.entries(FIXED_PARAMETERS)) {
    if (!wanted(name)) continue;
    found[name] = details ? { value, settableAtRuntime: false, settableAtStartup: false } : value;
  }
  return found;
}
