/**
 * 2d indexes: positions in the plane by their hash, other fields behind it. Documents without a position have no entry.
 * Source: MongoDB's manual, "2d Indexes".
 */
import { BsonType, fieldsOf, type RawValue } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { geoScanShape, servesArea } from '../../geo-index/area-fields.ts';
import { DEFAULT_GRID } from '../../geo-index/geo-hash.ts';
import { PLANE_KIND, planeKeyGenerator } from '../../geo-index/plane-keys.ts';
import type { IndexKind, IndexRequest } from '../index-kind.ts';

export const plane: IndexKind = {
  name: PLANE_KIND,

  complete(request: IndexRequest) {
    checkFields(request.keyPattern);
    checkGrid(request.options);
    return request;
  },

  keyGenerator: (index) => planeKeyGenerator(index),

  scanShapes: (index, question) => {
    if (!servesArea(index, question, PLANE_KIND, ({ plane: shape }) => shape !== undefined)) {
      return [];
    }
    return [geoScanShape(index, question.collator)];
  },
};

function checkFields(keyPattern: Buffer): void {
  let geo = 0;
  let others = 0;
  for (const [, value] of fieldsOf(keyPattern)) {
    if (value.type === BsonType.string) {
      uassert(geo === 0, 16800, "can't have 2 geo fields");
      uassert(others === 0, 16801, '2d has to be first in index');
      geo += 1;
    } else others += 1;
  }
}

function checkGrid(options: ReadonlyMap<string, RawValue>): void {
  const number = (name: 'bits' | 'min' | 'max'): number =>
    options.get(name)?.asNumber() ?? DEFAULT_GRID[name];
  const bits = Math.trunc(number('bits'));
  uassert(
    bits >= 1 && bits <= 32,
    'InvalidOptions',
    `bits for hash must be > 0 and <= 32, but ${bits} bits were specified`,
  );
  const [min, max] = [number('min'), number('max')];
  const isValid = Number.isFinite(min) && Number.isFinite(max) && min < max;
  uassert(
    isValid,
    'InvalidOptions',
    `region for hash must be valid and have positive area, but [${min}, ${max}] was specified`,
  );
}
