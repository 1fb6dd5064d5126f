/**
 * Operations on a cursor or change stream entity.
 */
import type { CursorEntity } from '../runner/cursor-entity.ts';
import { tableOf } from './definition.ts';

export const CURSOR_OPERATIONS = tableOf<CursorEntity>([
  {
    name: 'close',
    requires: [],
    run: (cursor) => cursor.close(),
  },
  {
    name: 'iterateOnce',
    requires: [],
    run: (cursor) => cursor.iterateOnce(),
  },
  {
    name: 'iterateUntilDocumentOrError',
    requires: [],
    run: (cursor) => cursor.iterateUntilDocument(),
  },
]);
