/**
 * The compiled form of a JSON schema: rules over one value that is present.
 *
 * Owns: the types, and what a set of rules says about a value.
 * Promises: a rule about one kind of value (such as maxLength about strings) says nothing about others.
 */
import { ArrayBuilder, DocumentBuilder, type RawValue } from '../../../bson/index.ts';

/** What does not hold, as errInfo reports it. Absent fields are not written. */
export type FailureReport = Buffer;

export interface Rule {
  readonly keyword: string;
  /** Types that the rule is about; absent: all. */
  readonly appliesTo?: ReadonlySet<number>;
  readonly test: (value: RawValue) => boolean;
  /** Why a value that failed `test` failed. */
  readonly report: (value: RawValue) => FailureReport;
}

export class Schema {
  readonly title: RawValue | undefined;
  readonly description: RawValue | undefined;
  private readonly rules: readonly Rule[];

  constructor(
    rules: readonly Rule[],
    texts: { title: RawValue | undefined; description: RawValue | undefined },
  ) {
    this.rules = rules;
    this.title = texts.title;
    this.description = texts.description;
  }

  test(value: RawValue): boolean {
    for (const rule of this.rules) {
      if (rule.appliesTo?.has(value.type) === false) continue;
      if (!rule.test(value)) return false;
    }
    return true;
  }

  /** Reports of all rules that the value breaks, as a BSON array. */
  reports(value: RawValue): Buffer {
    const reports = new ArrayBuilder();
    for (const rule of this.rules) {
      if (rule.appliesTo?.has(value.type) === false || rule.test(value)) continue;
      reports.pushDocument(rule.report(value));
    }
    return reports.finish();
  }

  /** Writes title and description, where the schema has them. */
  appendTexts(report: DocumentBuilder): void {
    if (this.title !== undefined) report.append('title', this.title);
    if (this.description !== undefined) report.append('description', this.description);
  }
}
