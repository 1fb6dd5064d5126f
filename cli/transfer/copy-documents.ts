/**
 * Carries the documents of one namespace from a running server to a loader.
 */
import type { BaseClient } from '../../client/index.ts';
import type { NamespaceLoader } from './namespace-loader.ts';
import { bytesOf, dataCollectionOf, type NamespaceDescription } from './namespaces.ts';

export async function copyDocuments(
  source: BaseClient,
  namespace: NamespaceDescription,
  loader: NamespaceLoader,
): Promise<void> {
  const collection = source.db(namespace.database).collection(dataCollectionOf(namespace));
  const total = await collection.estimatedDocumentCount();
  for await (const document of collection.find({}, { raw: true, noCursorTimeout: true })) {
    await loader.add(namespace, bytesOf(document), { total });
  }
}
