/**
 * setFeatureCompatibilityVersion: there is one version of features here, the one that the server presents itself with.
 *
 * MongoDB keeps data readable for the version before; data of FlintDB never was, so that going down is refused.
 * Source: MongoDB's manual, "setFeatureCompatibilityVersion".
 */
import { BsonType } from '../../../bson/index.ts';
import { uassert } from '../../../common/assert.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';
import { FEATURE_COMPATIBILITY_VERSION } from '../../version.ts';

/** What MongoDB 8.0 knows by name. */
const KNOWN_VERSIONS = ['7.0', '7.3', FEATURE_COMPATIBILITY_VERSION];
const UNKNOWN_VERSION = 4_926_900;
const NOT_CONFIRMED = 7_369_100;

export const setFeatureCompatibilityVersion = defineCommand({
  name: 'setFeatureCompatibilityVersion',
  help: 'Confirms the version of features that this server offers.',
  kind: 'admin',
  access: { action: 'setFeatureCompatibilityVersion', on: 'cluster' },
  route: 'allShards',
  adminOnly: true,
  takesWriteConcern: true,
  parse: (body) => {
    if (body.target.type !== BsonType.string) {
      throw body.wrongType(body.command, body.target, "expected type 'string'");
    }
    body.safeBoolean('downgradeOnDiskChanges', false);
    body.refuse('fromConfigServer', 'phase', 'changeTimestamp');
    return { version: body.target.asString(), confirmed: body.safeBoolean('confirm', false) };
  },
  execute: ({ version, confirmed }) => {
    if (!KNOWN_VERSIONS.includes(version)) {
      throw new CommandError(
        UNKNOWN_VERSION,
        `Invalid feature compatibility version value '${version}'; expected '7.0' or '7.3' or '8.0'. See https://docs.mongodb.com/master/release-notes/8.0-compatibility/#feature-compatibility.`,
      );
    }
    uassert(
      confirmed,
      NOT_CONFIRMED,
      "Once you have downgraded the FCV, if you choose to downgrade the binary version, it will require support assistance. Please re-run this command with 'confirm: true' to acknowledge this and continue with the FCV downgrade.",
    );
    uassert(
      version === FEATURE_COMPATIBILITY_VERSION,
      'IllegalOperation',
      'FlintDB has no features of an earlier version to go back to: its featureCompatibilityVersion is 8.0',
    );
  },
  reply: () => ({}),
});
