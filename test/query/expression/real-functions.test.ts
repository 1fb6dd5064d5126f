/**
 * Functions of real numbers, parts of dates, and what else has the same edges: null, missing, wrong types, infinities, all 34 digits
 * of a decimal.
 */
import { Binary, Timestamp, UUID } from 'mongodb';
import { type Case, decimal, double, fails, long, testCases } from './cases.ts';

/** The double, and the decimal to its last digit, of each function at one point. */
const REAL: readonly (readonly [string, unknown, unknown, string, string])[] = [
  ['$sin', 0, double(0), '1', '0.8414709848078965066525023216302990'],
  ['$cos', 0, double(1), '1', '0.5403023058681397174009366074429766'],
  ['$tan', 0, double(0), '1', '1.557407724654902230506974807458360'],
  ['$asin', 1, double(Math.PI / 2), '0.5', '0.5235987755982988730771072305465838'],
  ['$acos', 1, double(0), '0.5', '1.047197551196597746154214461093168'],
  ['$atan', 0, double(0), '1', '0.7853981633974483096156608458198757'],
  ['$sinh', 0, double(0), '1', '1.175201193643801456882381850595601'],
  ['$cosh', 0, double(1), '1', '1.543080634815243778477905620757061'],
  ['$tanh', 0, double(0), '1', '0.7615941559557648881194582826047936'],
  ['$asinh', 0, double(0), '1', '0.8813735870195430252326093249797923'],
  ['$acosh', 1, double(0), '2', '1.316957896924816708625046347307968'],
  ['$atanh', 0, double(0), '0.5', '0.5493061443340548456976226184612629'],
  ['$exp', 0, double(1), '1', '2.718281828459045235360287471352662'],
  ['$ln', 1, double(0), '2', '0.6931471805599453094172321214581766'],
  ['$log10', 1000, double(3), '2', '0.3010299956639811952137388947244930'],
  ['$sqrt', 9, double(3), '2', '1.414213562373095048801688724209698'],
  ['$degreesToRadians', 0, double(0), '180', '3.141592653589793238462643383279503'],
  ['$radiansToDegrees', 0, double(0), '1', '57.29577951308232087679815481410517'],
];

const realCases = REAL.flatMap(([name, at, value, exactAt, exact]): Case[] => [
  [{ [name]: at }, value],
  [{ [name]: long(String(at)) }, value],
  [{ [name]: decimal(exactAt) }, decimal(exact)],
  [{ [name]: null }, null],
  [{ [name]: '$missing' }, null],
  [{ [name]: double(NaN) }, double(NaN)],
  // Logarithms know no decimal that is no number.
  [{ [name]: decimal('NaN') }, /^.(ln|log10)$/.test(name) ? double(NaN) : decimal('NaN')],
  [{ [name]: '$s' }, fails(28765)],
  [{ [name]: '$a' }, fails(28765)],
  [{ [name]: [1, 2] }, fails(16020)],
]);

const outside: readonly Case[] = [
  ...['$sin', '$cos', '$tan'].map((name): Case => [{ [name]: double(Infinity) }, fails(50989)]),
  ...['$asin', '$acos', '$atanh'].map((name): Case => [{ [name]: 1.5 }, fails(50989)]),
  [{ $acosh: 0.5 }, fails(50989)],
  [{ $atanh: 1 }, double(Infinity)],
  [{ $ln: 0 }, fails(28766)],
  [{ $log10: -1 }, fails(28761)],
  [{ $sqrt: -1 }, fails(28714)],
  [{ $exp: decimal('20000') }, decimal('Infinity')],
  [{ $exp: decimal('-Infinity') }, decimal('0')],
  [{ $ln: decimal('1E-6000') }, decimal('-13815.51055796427410410794872810619')],
  [{ $sin: decimal('1E-50') }, decimal('1E-50')],
  [{ $sin: decimal('1E+30') }, decimal('-0.09011690191213805803038642895298733')],
  [{ $atan: double(Infinity) }, double(Math.PI / 2)],
  [{ $pow: [decimal('2'), 10] }, decimal('1024')],
  [{ $pow: [decimal('2'), decimal('0.5')] }, decimal('1.414213562373095048801688724209698')],
  [{ $pow: [decimal('-2'), decimal('0.5')] }, decimal('NaN')],
  [{ $pow: [decimal('-2'), 3] }, decimal('-8')],
  [{ $log: [decimal('8'), 2] }, decimal('3')],
  [{ $log: [decimal('3'), decimal('10')] }, decimal('0.4771212547196624372950279032551153')],
  [{ $atan2: [decimal('-1'), -1] }, decimal('-2.356194490192344928846982537459627')],
];

/** 2024-02-29 is a Thursday, the 60th day, in ISO week 9. */
const when = new Date('2024-02-29T13:14:15.167Z');
const PARTS: readonly (readonly [string, number | bigint])[] = [
  ['$millisecond', 167],
  ['$second', 15],
  ['$minute', 14],
  ['$dayOfMonth', 29],
  ['$dayOfYear', 60],
  ['$isoDayOfWeek', 4],
  ['$week', 8],
];
const partCases = PARTS.flatMap(([name, part]): Case[] => [
  [{ [name]: when }, part],
  [{ [name]: { date: when, timezone: 'UTC' } }, part],
  [{ [name]: null }, null],
  [{ [name]: '$missing' }, null],
  [{ [name]: 5 }, fails(16006)],
  [{ [name]: 'x' }, fails(16006)],
]);

const others: readonly Case[] = [
  [{ $gte: [2, 2] }, true],
  [{ $gte: [null, '$missing'] }, true],
  [{ $gte: ['a', 5] }, true],
  [{ $lte: [2, double(2)] }, true],
  [{ $lte: [[1], 5] }, false],
  [{ $ne: [1, long(1)] }, false],
  [{ $ne: [null, '$missing'] }, true],
  [{ $bsonSize: {} }, 5],
  [{ $bsonSize: null }, null],
  [{ $bsonSize: '$missing' }, null],
  [{ $bsonSize: 5 }, fails(31393)],
  [{ $rtrim: { input: ' a ' } }, ' a'],
  [{ $rtrim: { input: 'xyx', chars: 'x' } }, 'xy'],
  [{ $rtrim: { input: null } }, null],
  [{ $rtrim: { input: 5 } }, fails(50699)],
  [{ $maxN: { input: [3, null, 1], n: 2 } }, [3, 1]],
  [{ $maxN: { input: [3], n: 0 } }, fails(5787908)],
  [{ $stdDevPop: [1, 3] }, double(1)],
  [{ $stdDevPop: ['x'] }, null],
  [{ $stdDevSamp: [1, 3] }, double(Math.SQRT2)],
  [{ $stdDevSamp: [1] }, null],
  [{ $percentile: { input: [1, 2, 3], p: [0.5], method: 'approximate' } }, [double(2)]],
  [{ $percentile: { input: 'x', p: [0.5], method: 'approximate' } }, [null]],
  [{ $gt: [{ $rand: {} }, 1] }, false],
  [{ $rand: 1 }, fails(10065)],
  [{ $tsSecond: new Timestamp({ t: 7, i: 8 }) }, long(7)],
  [{ $tsSecond: null }, null],
  [{ $tsSecond: 5 }, fails(5687301)],
  [{ $tsIncrement: new Timestamp({ t: 7, i: 8 }) }, long(8)],
  [{ $tsIncrement: '$missing' }, null],
  [{ $tsIncrement: 's' }, fails(5687302)],
  [
    { $toUUID: '01234567-89ab-cdef-0123-456789abcdef' },
    new UUID('01234567-89ab-cdef-0123-456789abcdef'),
  ],
  [{ $toUUID: null }, null],
  [{ $toUUID: 'x' }, fails(241)],
  [{ $binarySize: new Binary(Buffer.from('abc')) }, 3],
];

export const CASES: readonly Case[] = [...realCases, ...outside, ...partCases, ...others];

describe('functions of real numbers and parts of values', () => testCases(CASES));
