/**
 * Cluster parameters: settings that are kept with the data, not given at each start.
 *
 * Owns: the table of those that have an effect here, and their values as the collection config.clusterParameters has them.
 * A parameter of MongoDB that would have no effect is not in the table: setting it is refused by name.
 * Source: MongoDB's manual, "Cluster Parameters".
 */
import { DocumentBuilder, fieldsOf, getField, type RawValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { ReadView } from '../../storage/index.ts';

export const CLUSTER_PARAMETERS_NAMESPACE = 'config.clusterParameters';

const MOST_MS = 2 ** 31 - 1;

interface ClusterParameter {
  readonly name: string;
  /** Fields with their values before anybody has set them. */
  readonly initial: Readonly<Record<string, number>>;
}

const PARAMETERS: readonly ClusterParameter[] = [
  // Milliseconds that a read may take whose client says nothing; 0 is no limit.
  { name: 'defaultMaxTimeMS', initial: { readOperations: 0 } },
];

/** When a parameter was set: a BSON timestamp. */
export interface SetAt {
  readonly seconds: number;
  readonly increment: number;
}

interface Setting {
  readonly values: Readonly<Record<string, number>>;
  readonly setAt: SetAt;
}

export class ClusterParameters {
  private readonly settings = new Map<string, Setting>();

  constructor() {
    for (const { name, initial } of PARAMETERS) {
      this.settings.set(name, { values: initial, setAt: { seconds: 0, increment: 0 } });
    }
  }

  /** Asked for with every read, milliseconds; 0 for no limit. */
  get defaultReadLimitMs(): number {
    return this.settings.get('defaultMaxTimeMS')?.values['readOperations'] ?? 0;
  }

  names(): string[] {
    return PARAMETERS.map(({ name }) => name);
  }

  /** Reads what was set before this start. */
  async load(view: ReadView): Promise<void> {
    const collection = view.collection(CLUSTER_PARAMETERS_NAMESPACE);
    if (collection === undefined) return;
    const cursor = view.scanRecords(collection);
    try {
      while (await cursor.next()) this.adopt(cursor.document);
    } finally {
      cursor.close();
    }
  }

  /** Takes a document of the collection over; one of a parameter that is not in the table is left alone. */
  adopt(document: Buffer): void {
    const id = getField(document, '_id');
    const name = id?.typeName === 'string' ? id.asString() : '';
    const known = this.settings.get(name);
    if (known === undefined) return;
    const values = { ...known.values };
    for (const [field, value] of fieldsOf(document)) {
      if (field in values && value.isNumber) values[field] = value.asNumber();
    }
    const time = getField(document, 'clusterParameterTime');
    const setAt = time?.typeName === 'timestamp' ? time.asTimestamp() : known.setAt;
    this.settings.set(name, { values, setAt });
  }

  /** As getClusterParameter shows it, and as it is stored. @throws CommandError NoSuchKey */
  describe(name: string): Buffer {
    const { values, setAt } = this.settingOf(name);
    return documentOf(name, values, setAt);
  }

  /**
   * The document that holds a new value, to be stored and then adopted.
   * @throws CommandError NoSuchKey, IDLUnknownField, TypeMismatch, BadValue
   */
  change(name: string, value: RawValue, setAt: SetAt): Buffer {
    const { values } = this.settingOf(name);
    if (value.typeName !== 'object') {
      throw new CommandError('BadValue', 'Cluster parameter value must be an object');
    }
    const changed = { ...values };
    for (const [field, each] of fieldsOf(value.asDocument())) {
      const path = `${name}.${field}`;
      if (!(field in values)) {
        throw new CommandError('IDLUnknownField', `BSON field '${path}' is an unknown field.`);
      }
      changed[field] = millisecondsOf(path, each);
    }
    return documentOf(name, changed, setAt);
  }

  private settingOf(name: string): Setting {
    const setting = this.settings.get(name);
    if (setting !== undefined) return setting;
    throw new CommandError('NoSuchKey', `Unknown server parameter: ${name}`);
  }
}

function millisecondsOf(path: string, value: RawValue): number {
  if (!value.isNumber) {
    throw new CommandError(
      'TypeMismatch',
      `BSON field '${path}' is the wrong type '${value.typeName}', expected types '[long, int, decimal, double]'`,
    );
  }
  const number = Math.trunc(value.asNumber());
  if (number >= 0 && number <= MOST_MS) return number;
  throw new CommandError(
    'BadValue',
    `BSON field '${path}' value must be between 0 and ${MOST_MS}, actual value '${number}'`,
  );
}

function documentOf(name: string, values: Readonly<Record<string, number>>, setAt: SetAt): Buffer {
  const out = new DocumentBuilder().appendString('_id', name);
  out.appendTimestamp('clusterParameterTime', setAt.seconds, setAt.increment);
  for (const [field, value] of Object.entries(values)) out.appendInt64(field, BigInt(value));
  return out.finish();
}
