/**
 * What does a regular expression cost per character, by V8 and by the automaton that stands in for it?
 *
 * Estimate: V8 compiles to machine code, 1-3 ns per character on its good path; the automaton follows a few states at 10 ns
 * each, so 30-100 ns. That is what bounded time costs where backtracking could run away: (a+)+$ doubles with each character.
 * Run: `npm run bench -- query/regex`.
 */
import { compileLinear } from '../../../query/matcher/linear-matcher.ts';
import { translatePattern } from '../../../query/matcher/pcre-translation.ts';
import { parseRegexSource } from '../../../query/matcher/regex-program.ts';
import { nsPerCall, report } from '../bson/measure.ts';

const LENGTH = 1000;
const text = 'lorem ipsum dolor sit amet '.repeat(LENGTH / 27);

for (const pattern of ['zebra', 'dol.*zebra', '^(?:[a-z]+ )*$', '[aeiou]{2}x', '(?:a|b|c)+z']) {
  const { source, ignoreCase } = translatePattern(pattern, '');
  const engine = new RegExp(source, 'u');
  report(`V8 /${pattern}/, per character`, nsPerCall(() => engine.test(text)) / text.length);
  const linear = compileLinear(parseRegexSource(source), ignoreCase);
  if (linear === undefined) continue;
  report(`automaton /${pattern}/, per character`, nsPerCall(() => linear.test(text)) / text.length);
}

const hostile = compileLinear(parseRegexSource('(a+)+$'), false);
for (const length of [100, 10_000]) {
  const subject = `${'a'.repeat(length)}!`;
  report(
    `automaton /(a+)+$/ on ${length}, per character`,
    nsPerCall(() => hostile?.test(subject)) / length,
  );
}
const backtracking = /(a+)+$/u;
for (const length of [16, 20, 24]) {
  const subject = `${'a'.repeat(length)}!`;
  const start = performance.now();
  backtracking.test(subject);
  const ns = (performance.now() - start) * 1e6;
  report(`V8 /(a+)+$/ on ${length}, whole text`, ns);
}
