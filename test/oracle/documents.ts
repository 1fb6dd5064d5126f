/**
 * Random documents for the oracle: fields of all types, places, and texts.
 */
import type { SeededRandom } from '../../common/random.ts';
import { geometry, planePosition } from './places.ts';
import { type Plain, scalar, value } from './values.ts';
import { words } from './words.ts';

/** How much of a collection is arrays and objects: indexes that are not multikey are rare otherwise. */
export type Texture = 'flat' | 'objects' | 'arrays' | 'elements';

/** Arrays of objects, and an object of arrays, of few numbers: conditions on two fields often meet in one element, and often do not. */
function elements(random: SeededRandom, name: string): unknown {
  const number = (): number => random.below(5);
  const numbers = (): unknown => (random.below(3) === 0 ? [number(), number()] : number());
  const pair = (): Plain => ({ y: number(), z: number() });
  switch (name) {
    case 'a':
      return Array.from({ length: random.below(4) }, () => ({
        x: random.below(3) === 0 ? [pair(), pair()] : numbers(),
        y: number(),
      }));
    case 'b':
      return { x: numbers(), y: number() };
    default:
      return number();
  }
}

export function document(random: SeededRandom, id: number, texture: Texture): Plain {
  const made: Plain = { _id: id };
  for (const name of ['a', 'b', 'c', 'd']) {
    if (random.below(6) === 0) continue;
    if (texture === 'elements') made[name] = elements(random, name);
    else if (texture === 'arrays') made[name] = value(random);
    else if (texture === 'objects' && name < 'c') {
      made[name] = { x: scalar(random), y: scalar(random) };
    } else made[name] = scalar(random);
  }
  const withArrays = texture === 'arrays' || texture === 'elements';
  if (random.below(3) > 0) made['g'] = geometry(random, withArrays);
  if (random.below(3) > 0) made['p'] = planePosition(random, withArrays);
  if (random.below(3) > 0) made['t'] = words(random, withArrays);
  return made;
}
