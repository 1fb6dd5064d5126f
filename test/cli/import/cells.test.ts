import assert from 'node:assert/strict';
import { toExtendedJsonText } from '../../../bson/index.ts';
import { autoValue, cellParser } from '../../../cli/import/column-types.ts';
import { columnsOf, splitFields } from '../../../cli/import/columns.ts';
import { dateParser, type DateDialect } from '../../../cli/import/date-layouts.ts';
import { rowDocuments, type RowOptions } from '../../../cli/import/row-documents.ts';

const text = (value: ReturnType<typeof autoValue> | undefined): string | undefined =>
  value === undefined ? undefined : toExtendedJsonText(value);

describe('cli: a cell without a type', () => {
  const cells: [cell: string, value: string][] = [
    ['', '""'],
    ['1', '{"$numberInt":"1"}'],
    ['007', '{"$numberInt":"7"}'],
    ['+5', '{"$numberInt":"5"}'],
    ['-2147483648', '{"$numberInt":"-2147483648"}'],
    ['2147483648', '{"$numberLong":"2147483648"}'],
    ['-9223372036854775808', '{"$numberLong":"-9223372036854775808"}'],
    ['9223372036854775808', '{"$numberDouble":"9223372036854776000.0"}'],
    ['1.5', '{"$numberDouble":"1.5"}'],
    ['.5e3', '{"$numberDouble":"500.0"}'],
    ['-Inf', '{"$numberDouble":"-Infinity"}'],
    ['NaN', '{"$numberDouble":"NaN"}'],
    ['1_000', '"1_000"'],
    ['0x10', '"0x10"'],
    [' 1', '" 1"'],
    ['true', '"true"'],
  ];
  for (const [cell, value] of cells) {
    it(`'${cell}' becomes ${value}`, () => assert.equal(text(autoValue(cell)), value));
  }
});

describe('cli: a cell of a type', () => {
  const cells: [type: string, argument: string, cell: string, value: string | undefined][] = [
    ['int32', '', '5', '{"$numberInt":"5"}'],
    ['int32', '', '5.0', undefined],
    ['int32', '', '2147483648', undefined],
    ['int64', '', '5', '{"$numberLong":"5"}'],
    ['double', '', '5', '{"$numberDouble":"5.0"}'],
    ['double', '', 'five', undefined],
    ['decimal', '', '1.50', '{"$numberDecimal":"1.50"}'],
    ['decimal', '', 'x', undefined],
    ['boolean', '', 'TRUE', 'true'],
    ['boolean', '', '0', 'false'],
    ['boolean', '', 'yes', undefined],
    ['string', '', '5', '"5"'],
    ['binary', 'base64', 'aGk=', '{"$binary":{"base64":"aGk=","subType":"00"}}'],
    ['binary', 'hex', '6869', '{"$binary":{"base64":"aGk=","subType":"00"}}'],
    ['binary', 'base32', 'NBUQ====', '{"$binary":{"base64":"aGk=","subType":"00"}}'],
    ['binary', 'hex', '686', undefined],
    ['date', '2006-01-02', '2024-02-29', '{"$date":{"$numberLong":"1709164800000"}}'],
    ['date', '2006-01-02', '2023-02-29', undefined],
    ['auto', '', '5', '{"$numberInt":"5"}'],
  ];
  for (const [type, argument, cell, value] of cells) {
    it(`${type}(${argument}): '${cell}' becomes ${value ?? 'nothing'}`, () => {
      assert.equal(text(cellParser(type, argument)(cell)), value);
    });
  }

  it('is refused when the type, or its argument, is not there', () => {
    assert.throws(() => cellParser('int', ''), /'int' is no type of a column: auto, binary/);
    assert.throws(() => cellParser('int32', 'x'), /int32 of a column takes no argument, not 'x'/);
    assert.throws(() => cellParser('binary', 'base16'), /'base16' is no encoding/);
    assert.throws(() => cellParser('date', '...'), /'\.\.\.' is no layout of a date/);
    assert.throws(() => cellParser('constructor', ''), /'constructor' is no type/);
  });
});

describe('cli: a date in a layout', () => {
  const dates: [dialect: DateDialect, layout: string, text: string, iso: string][] = [
    ['go', '2006-01-02T15:04:05Z07:00', '2024-03-05T06:07:08+02:00', '2024-03-05T04:07:08.000Z'],
    ['go', '2006-01-02 15:04:05.000', '2024-03-05 06:07:08.123', '2024-03-05T06:07:08.123Z'],
    [
      'go',
      'Jan 2, 2006 at 3:04pm (MST)',
      'Feb 3, 2013 at 7:54pm (MST)',
      '2013-02-03T19:54:00.000Z',
    ],
    ['go', 'Monday, 02-Jan-06', 'Tuesday, 05-Mar-24', '2024-03-05T00:00:00.000Z'],
    ['go', '1/2/06', '12/31/70', '1970-12-31T00:00:00.000Z'],
    ['ms', 'yyyy-MM-dd HH:mm:ss', '2024-03-05 06:07:08', '2024-03-05T06:07:08.000Z'],
    ['ms', 'MMMM d, yyyy h:mm tt', 'March 5, 2024 12:30 AM', '2024-03-05T00:30:00.000Z'],
    ['oracle', 'YYYY-MM-DD HH24:MI:SS', '2024-03-05 16:07:08', '2024-03-05T16:07:08.000Z'],
    ['oracle', 'DD-MON-YY', '05-MAR-24', '2024-03-05T00:00:00.000Z'],
  ];
  for (const [dialect, layout, given, iso] of dates) {
    it(`${dialect} ${layout}: ${given}`, () => {
      assert.equal(new Date(dateParser(dialect, layout)(given) ?? Number.NaN).toISOString(), iso);
    });
  }
  for (const given of ['', '2024-3', '2024-13-01 00:00', '2024-01-01 24:00', 'x2024-01-01 00:00']) {
    it(`2006-01-02 15:04: '${given}' is none`, () => {
      assert.equal(dateParser('go', '2006-01-02 15:04')(given), undefined);
    });
  }
});

describe('cli: columns', () => {
  it('are separated by commas outside of parentheses', () => {
    assert.deepEqual(splitFields('a.date(Jan 2, 2006),b'), ['a.date(Jan 2, 2006)', 'b']);
  });

  const refused: [
    headers: string[],
    options: { typed?: boolean; arrayIndexes?: boolean },
    message: RegExp,
  ][] = [
    [['a', 'a'], {}, /two columns have the name 'a'/],
    [['a', 'a.b'], {}, /'a' and 'a\.b' cannot both be/],
    [['a.b', 'a'], {}, /'a\.b' and 'a' cannot both be/],
    [['a.'], {}, /ends with a '\.'/],
    [['$a'], {}, /begins with a '\$'/],
    [['a..b'], {}, /two '\.'/],
    [[''], {}, /is empty/],
    [['a'], { typed: true }, /'a' names no type; it should look like 'age\.int32\(\)'/],
    [['a.1'], { arrayIndexes: true }, /begin with 0/],
    [['a.0', 'a.2'], { arrayIndexes: true }, /begin with 0/],
    [['a.0', 'a.b'], { arrayIndexes: true }, /begin with 0/],
  ];
  for (const [headers, options, message] of refused) {
    it(`${headers.join()} are refused`, () => {
      assert.throws(
        () => columnsOf(headers, { typed: false, arrayIndexes: false, ...options }),
        message,
      );
    });
  }
});

describe('cli: rows', () => {
  const documents = async (csv: string, options: Partial<RowOptions> = {}): Promise<string[]> => {
    async function* source(): AsyncGenerator<Buffer> {
      for (const byte of Buffer.from(csv)) yield Buffer.of(byte);
    }
    const found: string[] = [];
    for await (const { document, place } of rowDocuments(source(), {
      tabs: false,
      headers: undefined,
      typed: false,
      arrayIndexes: false,
      ignoreBlanks: false,
      grace: 'stop',
      onSkipped: (line) => found.push(`${line} left out`),
      ...options,
    })) {
      found.push(`${place} ${toExtendedJsonText(document, { relaxed: true })}`);
    }
    return found;
  };

  it('become documents that nest at dots', async () => {
    assert.deepEqual(await documents('a,b.c,b.d\n1,x,"y\nz"\r\n2,,\n'), [
      '3 {"a":1,"b":{"c":"x","d":"y\\nz"}}',
      '4 {"a":2,"b":{"c":"","d":""}}',
    ]);
  });

  it('with cells beyond the columns name them by their place, and with fewer have fewer fields', async () => {
    assert.deepEqual(await documents('a,b\n1,2,3\n4\n'), [
      '2 {"a":1,"b":2,"field2":3}',
      '3 {"a":4}',
    ]);
  });

  it('have arrays where names of columns are numbers, when that is wanted', async () => {
    const csv = 't.0.x,t.0.y,t.1\n1,2,3\n';
    assert.deepEqual(await documents(csv, { arrayIndexes: true }), ['2 {"t":[{"x":1,"y":2},3]}']);
    assert.deepEqual(await documents(csv), ['2 {"t":{"0":{"x":1,"y":2},"1":3}}']);
  });

  it('leave out empty cells, when that is wanted', async () => {
    assert.deepEqual(await documents('a,b\n,1\n', { ignoreBlanks: true }), ['2 {"b":1}']);
  });

  it('of TSV have tabs and no quotes', async () => {
    assert.deepEqual(await documents('a\tb\n"x\ty"z\n', { tabs: true }), [
      '2 {"a":"\\"x","b":"y\\"z"}',
    ]);
  });

  it('with a cell of another type do what the grace says', async () => {
    const csv = 'a.int32(),b.string()\nx,1\n2,2\n';
    const typed = { typed: true };
    await assert.rejects(
      documents(csv, typed),
      /line 2, column 'a': 'x' is no int32\. See --parseGrace/,
    );
    assert.deepEqual(await documents(csv, { ...typed, grace: 'skipRow' }), [
      '2 left out',
      '3 {"a":2,"b":"2"}',
    ]);
    assert.deepEqual(await documents(csv, { ...typed, grace: 'skipField' }), [
      '2 {"b":"1"}',
      '3 {"a":2,"b":"2"}',
    ]);
    assert.deepEqual(await documents(csv, { ...typed, grace: 'autoCast' }), [
      '2 {"a":"x","b":"1"}',
      '3 {"a":2,"b":"2"}',
    ]);
  });

  it('with a quote that does not end are refused with their line', async () => {
    await assert.rejects(documents('a\n1\n"x\n'), { name: 'FailedCommand', message: /line/i });
  });
});
