/**
 * Reading the outcome of a command from its reply.
 */
import { fieldsOf, getField } from '../bson/index.ts';
import { CommandError } from '../common/errors.ts';

/**
 * The peer's error as one of ours: same code, message and labels.
 * @param body a validated reply. @returns undefined when it says ok: 1.
 */
export function errorOfReply(body: Buffer): CommandError | undefined {
  const ok = getField(body, 'ok');
  if (ok !== undefined && ok.isTruthy()) return undefined;
  const code = getField(body, 'code');
  const message = getField(body, 'errmsg');
  return new CommandError(
    code?.isNumber === true ? code.asNumber() : 'UnknownError',
    message?.typeName === 'string' ? message.asString() : 'the reply has neither ok: 1 nor errmsg',
    { labels: labelsOf(body) },
  );
}

function labelsOf(body: Buffer): string[] {
  const value = getField(body, 'errorLabels');
  if (value?.typeName !== 'array') return [];
  const labels: string[] = [];
  for (const [, label] of fieldsOf(value.asDocument())) {
    if (label.typeName === 'string') labels.push(label.asString());
  }
  return labels;
}
