/**
 * Updates, pipeline updates included: joins the update family with the stages, which stand above it.
 */
import { compileUpdate as compile } from '../update/compile.ts';
import type { Update, UpdateOptions, UpdateSpecification } from '../update/update.ts';
import { compileDocumentPipeline } from './document-pipeline.ts';

/** @throws CommandError as MongoDB does for a bad update. */
export function compileUpdate(update: UpdateSpecification, options: UpdateOptions): Update {
  return compile(update, { compilePipeline: compileDocumentPipeline, ...options });
}
