/**
 * configureFailPoint: makes the server fail on purpose, for tests.
 *
 * Only with enableTestCommands. failCommand's data is read and checked here; other fail points (the engine's pause and
 * crash points) get theirs as a plain object.
 * Source: MongoDB's wiki page "The failCommand fail point".
 */
import { deserialize } from 'bson';
import { CommandError, ERROR_CODES } from '../../../common/errors.ts';
import { uassert } from '../../../common/assert.ts';
import type { FailPointMode } from '../../../common/failpoints.ts';
import { fieldsOf, type RawValue } from '../../../bson/index.ts';
import { defineCommand } from '../../command/define-command.ts';
import { FAIL_COMMAND, type FailCommandData } from '../../command/fail-command.ts';
import { isFailPoint } from './fail-point-names.ts';

interface Request {
  readonly name: string;
  readonly mode: FailPointMode;
  readonly data: Buffer | undefined;
}

export const configureFailPoint = defineCommand({
  name: 'configureFailPoint',
  help: 'Sets a fail point. For tests only.',
  kind: 'admin',
  access: { action: 'none', on: 'anything' },
  route: 'allShards',
  adminOnly: true,
  beforeAuth: true,
  testOnly: true,
  parse(body): Request {
    const target = body.target;
    uassert(target.typeName === 'string', 'TypeMismatch', 'a fail point is named by a string');
    const mode = body.value('mode');
    if (mode === undefined) throw body.missing('mode');
    const name = target.asString();
    if (!isFailPoint(name)) throw new CommandError('FailPointSetFailed', `${name} not found`);
    return { name, mode: modeOf(mode), data: body.document('data', undefined) };
  },
  execute({ name, mode, data }, op): number {
    if (name === FAIL_COMMAND && mode.kind !== 'off') {
      return op.service.failPoints.configure(name, mode, failCommandData(data));
    }
    const plain = data === undefined ? undefined : deserialize(data);
    return op.service.failPoints.configure(name, mode, plain);
  },
  reply: (count) => ({ count }),
});

function modeOf(value: RawValue): FailPointMode {
  if (value.typeName === 'string') {
    const kind = value.asString();
    if (kind === 'off' || kind === 'alwaysOn') return { kind };
    throw new CommandError('BadValue', `unknown mode '${kind}' of a fail point`);
  }
  uassert(value.typeName === 'object', 'TypeMismatch', "'mode' must be a string or JSON object");
  for (const [name, count] of fieldsOf(value.asDocument())) {
    uassert(count.isNumber, 'TypeMismatch', `'mode.${name}' must be a number`);
    const number = count.asNumber();
    uassert(number >= 0, 'BadValue', `'mode.${name}' must not be negative`);
    if (name === 'times') return { kind: 'times', times: Math.trunc(number) };
    if (name === 'skip') return { kind: 'skip', skip: Math.trunc(number) };
    if (name === 'activationProbability') {
      uassert(
        number <= 1,
        'BadValue',
        `activationProbability must be between 0.0 and 1.0; found ${number}`,
      );
      return { kind: name, probability: number };
    }
    throw new CommandError('BadValue', `unknown mode '${name}' of a fail point`);
  }
  throw new CommandError('BadValue', "'mode' of a fail point is empty");
}

type Draft = { -readonly [Name in keyof FailCommandData]: FailCommandData[Name] };

function failCommandData(document: Buffer | undefined): FailCommandData {
  const data: Draft = {
    kind: FAIL_COMMAND,
    commands: new Set(),
    failAllCommands: false,
    closeConnection: false,
    errorCode: undefined,
    errorLabels: undefined,
    errorMessage: undefined,
    blockTimeMs: undefined,
    appName: undefined,
    namespace: undefined,
    writeConcernError: undefined,
    errorExtraInfo: undefined,
  };
  let blocks = false;
  for (const [name, value] of document === undefined ? [] : fieldsOf(document)) {
    if (name === 'blockConnection') blocks = value.isTruthy();
    else take(data, name, value);
  }
  if (!blocks) data.blockTimeMs = undefined;
  else checkBlockTime(data.blockTimeMs);
  return data;
}

function checkBlockTime(blockTimeMs: number | undefined): void {
  uassert(
    blockTimeMs !== undefined,
    'InvalidOptions',
    "must specify 'blockTimeMS' when 'blockConnection' is true",
  );
  uassert(blockTimeMs >= 0, 'InvalidOptions', "'blockTimeMS' must be non-negative");
}

function take(data: Draft, name: string, value: RawValue): void {
  switch (name) {
    case 'failCommands':
      data.commands = new Set(strings(value, name));
      break;
    case 'failAllCommands':
      data.failAllCommands = value.isTruthy();
      break;
    case 'closeConnection':
      data.closeConnection = value.isTruthy();
      break;
    case 'errorCode':
      data.errorCode = errorCodeOf(value);
      break;
    case 'errorLabels':
      data.errorLabels = strings(value, name);
      break;
    case 'errmsg':
      data.errorMessage = value.asString();
      break;
    case 'blockTimeMS':
      uassert(value.isNumber, 'TypeMismatch', "'blockTimeMS' must be a number");
      data.blockTimeMs = value.asNumber();
      break;
    case 'appName':
      data.appName = value.asString();
      break;
    case 'namespace':
      data.namespace = value.asString();
      break;
    case 'writeConcernError':
      uassert(value.typeName === 'object', 'TypeMismatch', "'writeConcernError' must be an object");
      data.writeConcernError = Buffer.from(value.asDocument());
      break;
    case 'errorExtraInfo':
      uassert(value.typeName === 'object', 'TypeMismatch', "'errorExtraInfo' must be an object");
      data.errorExtraInfo = Buffer.from(value.asDocument());
      break;
    case 'failInternalCommands':
    case 'failLocalClients':
      // Commands of other servers and of the server itself: none come to a server alone.
      break;
    default:
      throw new CommandError('BadValue', `failCommand does not know '${name}'`);
  }
}

function errorCodeOf(value: RawValue): number {
  if (value.isNumber) return value.asNumber();
  const name = value.typeName === 'string' ? value.asString() : '';
  const found = Object.entries(ERROR_CODES).find(([known]) => known === name);
  if (found === undefined) throw new CommandError('BadValue', `unknown error code '${name}'`);
  return found[1];
}

function strings(value: RawValue, name: string): string[] {
  uassert(value.typeName === 'array', 'TypeMismatch', `'${name}' must be an array of strings`);
  return [...fieldsOf(value.asDocument())].map(([, element]) => {
    uassert(element.typeName === 'string', 'TypeMismatch', `'${name}' must hold strings`);
    return element.asString();
  });
}
