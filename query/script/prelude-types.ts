/**
 * MongoDB's types of server-side JavaScript, how they are printed, compared and hashed: source text for the sandbox, a part of the
 * prelude and inside its function.
 *
 * Source of the names: MongoDB's manual, "Server-side JavaScript".
 * Uses what stands in front of it there: `define`, `method`, `hidden`, `fail`, and the natives kept aside.
 */

export const PRELUDE_TYPES = String.raw`
  // ---- types ----
  function NumberLong(value) {
    if (!(this instanceof NumberLong)) return new NumberLong(value);
    if (arguments.length > 1) {
      hidden(this, 'big', BigInt.asIntN(64, (BigInt(arguments[arguments.length === 3 ? 1 : 0] >>> 0) << 32n) | BigInt(arguments[arguments.length === 3 ? 2 : 1] >>> 0)));
      return;
    }
    hidden(this, 'big', toBig(value === undefined ? 0 : value));
  }
  const toBig = (value) => {
    if (value instanceof NumberLong) return value.big;
    if (typeof value === 'bigint') return BigInt.asIntN(64, value);
    if (typeof value === 'string') {
      if (!/^\s*[+-]?\d+\s*$/.test(value)) fail('could not convert string to long long');
      const big = BigInt(value.trim().replace(/^\+/, ''));
      if (big !== BigInt.asIntN(64, big)) fail('could not convert string to long long');
      return big;
    }
    const number = Math.trunc(Number(value));
    if (number !== number) return 0n;
    if (number >= 9223372036854775807) return 9223372036854775807n;
    if (number <= -9223372036854775808) return -9223372036854775808n;
    return BigInt(number);
  };
  method(NumberLong.prototype, {
    toNumber() { return Number(this.big); },
    valueOf() { return Number(this.big); },
    toString() {
      const small = this.big >= -2147483648n && this.big <= 2147483647n;
      return small ? 'NumberLong(' + this.big + ')' : 'NumberLong("' + this.big + '")';
    },
    tojson() { return this.toString(); },
    compare(other) { const right = toBig(other); return this.big < right ? -1 : this.big > right ? 1 : 0; },
    exactValueString() { return String(this.big); },
    equals(other) { return this.big === toBig(other); },
  });
  for (const [name, get] of [
    ['floatApprox', function () { return Number(this.big); }],
    ['top', function () { return Number(this.big >> 32n); }],
    ['bottom', function () { return Number(this.big & 0xffffffffn); }],
  ]) defineProperty(NumberLong.prototype, name, { get, configurable: true });

  function NumberInt(value) {
    if (!(this instanceof NumberInt)) return new NumberInt(value);
    hidden(this, 'int', (value === undefined ? 0 : Number(value)) | 0);
  }
  method(NumberInt.prototype, {
    toNumber() { return this.int; },
    valueOf() { return this.int; },
    toString() { return 'NumberInt(' + this.int + ')'; },
    tojson() { return this.toString(); },
  });

  function NumberDecimal(value) {
    if (!(this instanceof NumberDecimal)) return new NumberDecimal(value);
    hidden(this, 'text', value === undefined ? '0' : value instanceof NumberDecimal ? value.text
      : value instanceof NumberLong ? String(value.big) : value instanceof NumberInt ? String(value.int) : String(value));
  }
  method(NumberDecimal.prototype, {
    toString() { return 'NumberDecimal("' + this.text + '")'; },
    tojson() { return this.toString(); },
  });

  const HEX = '0123456789abcdef';
  let counter = Math.floor(Math.random() * 0x1000000);
  const hexOf = (number, digits) => {
    let text = '';
    for (let shift = (digits - 1) * 4; shift >= 0; shift -= 4) text += HEX[Math.floor(number / 2 ** shift) % 16];
    return text;
  };
  const processHex = hexOf(Math.random() * 2 ** 40, 10);
  function ObjectId(value) {
    if (!(this instanceof ObjectId)) return new ObjectId(value);
    let hex;
    if (value === undefined) {
      counter = (counter + 1) % 0x1000000;
      hex = hexOf(Date.now() / 1000, 8) + processHex + hexOf(counter, 6);
    } else {
      hex = value instanceof ObjectId ? value.str : String(value).toLowerCase();
      if (!/^[0-9a-f]{24}$/.test(hex)) fail('invalid object id: length');
    }
    hidden(this, 'str', hex);
  }
  method(ObjectId.prototype, {
    toString() { return 'ObjectId("' + this.str + '")'; },
    valueOf() { return this.str; },
    tojson() { return this.toString(); },
    toHexString() { return this.str; },
    equals(other) { return other !== null && other !== undefined && this.str === (other.str || String(other)); },
    getTimestamp() { return new Date(parseInt(this.str.slice(0, 8), 16) * 1000); },
  });

  function Timestamp(t, i) {
    if (!(this instanceof Timestamp)) return new Timestamp(t, i);
    this.t = t === undefined ? 0 : Number(t);
    this.i = i === undefined ? 0 : Number(i);
    for (const part of [this.t, this.i]) {
      if (!(part >= 0 && part <= 4294967295)) fail('Timestamp parts must be between 0 and 4294967295');
    }
  }
  method(Timestamp.prototype, {
    toString() { return 'Timestamp(' + this.t + ', ' + this.i + ')'; },
    tojson() { return this.toString(); },
    getTime() { return this.t; },
    getInc() { return this.i; },
  });

  const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const hexToBase64 = (hex) => {
    let text = '';
    for (let at = 0; at < hex.length; at += 6) {
      const part = hex.slice(at, at + 6);
      const bits = parseInt(part.padEnd(6, '0'), 16);
      for (let digit = 0; digit < 4; digit += 1) {
        text += digit > part.length / 2 ? '=' : BASE64[(bits >> (18 - 6 * digit)) & 63];
      }
    }
    return text;
  };
  const base64ToHex = (base64) => {
    let hex = '';
    const clean = base64.replace(/=+$/, '');
    let bits = 0;
    let held = 0;
    for (const digit of clean) {
      const value = BASE64.indexOf(digit);
      if (value < 0) fail('invalid base64');
      bits = (bits << 6) | value;
      held += 6;
      if (held >= 8) {
        held -= 8;
        hex += HEX[(bits >> (held + 4)) & 15] + HEX[(bits >> held) & 15];
        bits &= (1 << held) - 1;
      }
    }
    return hex;
  };
  function BinData(type, data) {
    if (!(this instanceof BinData)) return new BinData(type, data);
    if (!isInteger(type) || type < 0 || type > 255) fail('BinData subtype must be between 0 and 255');
    if (typeof data !== 'string') fail('BinData data must be a String');
    base64ToHex(data);
    hidden(this, 'data', data);
    this.type = type;
    hidden(this, 'len', Math.floor(data.replace(/=+$/, '').length * 3 / 4));
  }
  const uuidText = (hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  method(BinData.prototype, {
    base64() { return this.data; },
    hex() { return base64ToHex(this.data); },
    length() { return this.len; },
    subtype() { return this.type; },
    toString() {
      return this.type === 4 && this.len === 16
        ? 'UUID("' + uuidText(this.hex()) + '")' : 'BinData(' + this.type + ',"' + this.data + '")';
    },
    tojson() { return this.toString(); },
  });
  const UUID = (text) => {
    let hex;
    if (text === undefined) {
      hex = '';
      for (let digit = 0; digit < 32; digit += 1) hex += HEX[Math.floor(Math.random() * 16)];
      hex = hex.slice(0, 12) + '4' + hex.slice(13, 16) + '8' + hex.slice(17);
    } else {
      hex = String(text).replace(/-/g, '').toLowerCase();
      if (!/^[0-9a-f]{32}$/.test(hex)) fail('UUID needs a string of 32 hex digits');
    }
    return new BinData(4, hexToBase64(hex));
  };
  const HexData = (type, hex) => new BinData(type, hexToBase64(String(hex)));
  const MD5 = (hex) => new BinData(5, hexToBase64(String(hex)));

  function MinKeyType() {}
  function MaxKeyType() {}
  method(MinKeyType.prototype, { tojson() { return '{ "$minKey" : 1 }'; }, toJSON() { return { $minKey: 1 }; } });
  method(MaxKeyType.prototype, { tojson() { return '{ "$maxKey" : 1 }'; }, toJSON() { return { $maxKey: 1 }; } });
  const MINKEY = new MinKeyType();
  const MAXKEY = new MaxKeyType();
  const MinKey = Object.assign(function () { return MINKEY; }, {});
  const MaxKey = Object.assign(function () { return MAXKEY; }, {});
  MinKey.tojson = () => '{ "$minKey" : 1 }';
  MaxKey.tojson = () => '{ "$maxKey" : 1 }';

  function DBRef(collection, id, database) {
    if (!(this instanceof DBRef)) return new DBRef(collection, id, database);
    this.$ref = collection;
    this.$id = id;
    if (database !== undefined) this.$db = database;
  }
  function DBPointer(ns, id) {
    if (!(this instanceof DBPointer)) return new DBPointer(ns, id);
    this.ns = ns;
    this.id = id;
  }
  function Code(code, scope) {
    if (!(this instanceof Code)) return new Code(code, scope);
    this.code = typeof code === 'function' ? String(code) : code;
    if (scope !== undefined) this.scope = scope;
  }
  const ISODate = (text) => {
    if (text === undefined) return new Date();
    const match = /^(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:\.(\d+))?)?(?:(Z)|([+-])(\d\d):?(\d\d)?)?)?$/.exec(String(text));
    if (match === null) fail('invalid ISO date: ' + text);
    const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', , sign, offsetHours = '0', offsetMinutes = '0'] = match;
    const date = new Date(0);
    date.setUTCFullYear(+year, +month - 1, +day);
    date.setUTCHours(+hour, +minute, +second, Math.trunc(Number('0.' + (fraction || '0')) * 1000));
    const offset = sign === undefined ? 0 : (sign === '-' ? 1 : -1) * (+offsetHours * 60 + +offsetMinutes) * 60000;
    return new Date(date.getTime() + offset);
  };

  // ---- printing ----
  const pad = (number, digits) => String(number).padStart(digits, '0');
  const isoDate = (date) => {
    if (isNaN(date.getTime())) return 'Date(NaN)';
    const time = pad(date.getUTCHours(), 2) + ':' + pad(date.getUTCMinutes(), 2) + ':' + pad(date.getUTCSeconds(), 2);
    const ms = date.getUTCMilliseconds();
    return 'ISODate("' + pad(date.getUTCFullYear(), 4) + '-' + pad(date.getUTCMonth() + 1, 2) + '-' + pad(date.getUTCDate(), 2) +
      'T' + time + (ms === 0 ? '' : '.' + pad(ms, 3)) + 'Z")';
  };
  const tojson = (value, indent, nolint) => {
    if (value === null) return 'null';
    if (value === undefined) return 'undefined';
    const space = indent === undefined ? '' : indent;
    switch (typeof value) {
      case 'string': return stringify(value);
      case 'number': case 'boolean': return String(value);
      case 'function': return value === MinKey || value === MaxKey ? value.tojson() : String(value);
      case 'object': {
        const text = tojsonObject(value, space, nolint === true);
        return nolint !== false && text.length < 80 && space.length === 0 ? text.replace(/[\t\r\n]+/g, ' ') : text;
      }
      default: fail("tojson can't handle type " + typeof value);
    }
  };
  const tojsonObject = (value, indent, nolint) => {
    if (value instanceof Date) return isoDate(value);
    if (value instanceof RegExp) return String(value);
    if (typeof value.tojson === 'function') return value.tojson(indent, nolint);
    const newLine = nolint ? ' ' : '\n';
    const inner = nolint ? '' : indent + '\t';
    if (isArray(value)) {
      if (value.length === 0) return '[ ]';
      const items = [];
      for (let at = 0; at < value.length; at += 1) items.push(inner + tojson(value[at], inner, nolint));
      return '[' + newLine + items.join(',' + newLine) + newLine + (nolint ? '' : indent) + ']';
    }
    const names = keys(value);
    if (names.length === 0) return '{ }';
    const fields = names.map((name) => inner + stringify(name) + ' : ' + tojson(value[name], inner, nolint));
    return '{' + newLine + fields.join(',' + newLine) + newLine + (nolint ? '' : indent) + '}';
  };
  const tojsononeline = (value) => tojson(value, ' ', true);

  // ---- MD5 (RFC 1321) of a string's UTF-8 bytes ----
  const utf8 = (text) => {
    const bytes = [];
    for (const character of text) {
      const code = character.codePointAt(0);
      if (code < 0x80) bytes.push(code);
      else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
      else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
      else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    }
    return bytes;
  };
  const SINES = Array.from({ length: 64 }, (_, index) => Math.floor(Math.abs(Math.sin(index + 1)) * 2 ** 32) | 0);
  const TURNS = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
  const hex_md5 = (text) => {
    const bytes = utf8(String(text));
    const bits = bytes.length * 8;
    bytes.push(0x80);
    while (bytes.length % 64 !== 56) bytes.push(0);
    for (let at = 0; at < 8; at += 1) bytes.push(Math.floor(bits / 2 ** (8 * at)) & 255);
    let [a0, b0, c0, d0] = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476];
    for (let block = 0; block < bytes.length; block += 64) {
      const words = [];
      for (let word = 0; word < 16; word += 1) {
        const at = block + word * 4;
        words.push(bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24));
      }
      let [a, b, c, d] = [a0, b0, c0, d0];
      for (let step = 0; step < 64; step += 1) {
        const round = step >> 4;
        let mixed;
        let word;
        if (round === 0) { mixed = (b & c) | (~b & d); word = step; }
        else if (round === 1) { mixed = (d & b) | (~d & c); word = (5 * step + 1) % 16; }
        else if (round === 2) { mixed = b ^ c ^ d; word = (3 * step + 5) % 16; }
        else { mixed = c ^ (b | ~d); word = (7 * step) % 16; }
        const turned = (mixed + a + SINES[step] + words[word]) | 0;
        a = d; d = c; c = b;
        const by = TURNS[round][step % 4];
        b = (b + ((turned << by) | (turned >>> (32 - by)))) | 0;
      }
      a0 = (a0 + a) | 0; b0 = (b0 + b) | 0; c0 = (c0 + c) | 0; d0 = (d0 + d) | 0;
    }
    return [a0, b0, c0, d0].map((word) => {
      let hex = '';
      for (let at = 0; at < 4; at += 1) hex += hexOf((word >>> (8 * at)) & 255, 2);
      return hex;
    }).join('');
  };

  // ---- comparison in BSON's order ----
  const rank = (value) => {
    if (value === undefined) return 0;
    if (value === MINKEY || value === MinKey) return -1;
    if (value === MAXKEY || value === MaxKey) return 100;
    if (value === null) return 5;
    if (typeof value === 'number' || value instanceof NumberLong || value instanceof NumberInt || value instanceof NumberDecimal) return 10;
    if (typeof value === 'string') return 15;
    if (isArray(value)) return 25;
    if (value instanceof BinData) return 30;
    if (value instanceof ObjectId) return 35;
    if (typeof value === 'boolean') return 40;
    if (value instanceof Date) return 45;
    if (value instanceof Timestamp) return 47;
    if (value instanceof RegExp) return 50;
    if (typeof value === 'function' || value instanceof Code) return 60;
    return 20;
  };
  const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const numberOf = (value) => value instanceof NumberDecimal ? Number(value.text) : value.valueOf();
  const compareValues = (a, b) => {
    const kind = rank(a);
    if (kind !== rank(b)) return order(kind, rank(b));
    switch (kind) {
      case 10:
        if (a instanceof NumberLong && b instanceof NumberLong) return order(a.big, b.big);
        return order(numberOf(a), numberOf(b));
      case 15: case 40: return order(a, b);
      case 20: return compareFields(keys(a), a, keys(b), b);
      case 25: return compareFields(a.map((_, at) => at), a, b.map((_, at) => at), b);
      case 30: return order(a.len, b.len) || order(a.type, b.type) || order(a.hex(), b.hex());
      case 35: return order(a.str, b.str);
      case 45: return order(a.getTime(), b.getTime());
      case 47: return order(a.t, b.t) || order(a.i, b.i);
      case 50: case 60: return order(String(a), String(b));
      default: return 0;
    }
  };
  const compareFields = (left, a, right, b) => {
    for (let at = 0; at < left.length && at < right.length; at += 1) {
      const [x, y] = [a[left[at]], b[right[at]]];
      const found = order(rank(x), rank(y)) || order(String(left[at]), String(right[at])) || compareValues(x, y);
      if (found !== 0) return found;
    }
    return order(left.length, right.length);
  };
`;
