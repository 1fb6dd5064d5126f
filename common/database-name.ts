/**
 * Which names a database may have: asked by commands, and by stages that write into other databases.
 * Source: MongoDB's manual, "Naming Restrictions".
 */

/** MongoDB's rule: 1 to 63 bytes, none of `/\. "$` and NUL; "$external" is the one name with a dollar. */
export function isValidDatabaseName(name: string): boolean {
  if (name.length === 0 || name.length > 63) return false;
  for (let index = 0; index < name.length; index += 1) {
    switch (name.charCodeAt(index)) {
      case 0x00: // NUL
      case 0x20: // space
      case 0x22: // "
      case 0x24: // $
      case 0x2e: // .
      case 0x2f: // slash
      case 0x5c: // backslash
        return name === '$external';
      default:
    }
  }
  return Buffer.byteLength(name) <= 63;
}
