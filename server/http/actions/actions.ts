/** All actions of the Data API. */
import type { Action } from './define-action.ts';
import { aggregate, find, findOne } from './read-actions.ts';
import {
  deleteMany,
  deleteOne,
  insertMany,
  insertOne,
  replaceOne,
  updateMany,
  updateOne,
} from './write-actions.ts';

export const ACTIONS: readonly Action[] = [
  aggregate,
  deleteMany,
  deleteOne,
  find,
  findOne,
  insertMany,
  insertOne,
  replaceOne,
  updateMany,
  updateOne,
];
