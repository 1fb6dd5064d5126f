import assert from 'node:assert/strict';
import { jsonTexts } from '../../../cli/import/json-texts.ts';

/** Objects with their lines, whatever the chunks are. */
async function textsOf(text: string | Buffer, asArray = false, chunkBytes = 3): Promise<string[]> {
  const bytes = Buffer.from(text);
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
  }
  const found: string[] = [];
  for await (const each of jsonTexts(chunks(), asArray)) found.push(`${each.line}: ${each.text}`);
  return found;
}

describe('cli: JSON objects in a text', () => {
  const texts: [name: string, text: string, expected: string[]][] = [
    ['nothing', '', []],
    ['only space', ' \r\n\t\n', []],
    ['one on each line', '{"a":1}\n{"b":2}\n', ['1: {"a":1}', '2: {"b":2}']],
    [
      'several on one line, and over lines',
      '{"a":1}{"b":\n2} {}',
      ['1: {"a":1}', '1: {"b":\n2}', '2: {}'],
    ],
    [
      'braces, quotes and backslashes in strings',
      '{"a":"}\\"{\\\\"}\n{"é":"ü"}',
      ['1: {"a":"}\\"{\\\\"}', '2: {"é":"ü"}'],
    ],
    ['a byte order mark', '\uFEFF{}', ['1: {}']],
    ['nested arrays and objects', '{"a":[{"b":[]}]}', ['1: {"a":[{"b":[]}]}']],
  ];
  for (const [name, text, expected] of texts) {
    it(`finds ${name}`, async () => {
      for (const chunkBytes of [1, 2, 3, 1000]) {
        assert.deepEqual(await textsOf(text, false, chunkBytes), expected);
      }
    });
  }

  const arrays: [name: string, text: string, expected: string[]][] = [
    ['an empty array', ' [ ] ', []],
    ['elements', '[{"a":1},\n {"b":2}]\n', ['1: {"a":1}', '2: {"b":2}']],
  ];
  for (const [name, text, expected] of arrays) {
    it(`finds in an array ${name}`, async () => {
      assert.deepEqual(await textsOf(text, true), expected);
    });
  }

  const refused: [text: string | Buffer, asArray: boolean, message: RegExp][] = [
    ['{"a":1}\n[', false, /^line 2: '\[' where an object should begin\. An array .* --jsonArray\./],
    ['{"a":1},', false, /^line 1: ',' where/],
    ['\n{"a":\n', false, /^line 2: the object that begins here has no end/],
    ['{"a":"\n', false, /^line 1: the object that begins here has no end/],
    ['{}', true, /^line 1: with --jsonArray the text begins with '\['/],
    ['[{}', true, /^line 1: the array has no end/],
    ['[{} {}]', true, /^line 1: a comma is missing/],
    ['[{},,{}]', true, /^line 1: ',' where/],
    ['[{}]]', true, /^line 1: '\]' where/],
    ['[{}] {}', true, /^line 1: a comma is missing/],
    [Buffer.from('{"a":"\n\xff"}', 'latin1'), false, /is no UTF-8/],
  ];
  for (const [text, asArray, message] of refused) {
    it(`refuses ${JSON.stringify(text.toString('latin1' as never))}${asArray ? ' as an array' : ''}`, async () => {
      await assert.rejects(textsOf(text, asArray), { name: 'FailedCommand', message });
    });
  }
});
