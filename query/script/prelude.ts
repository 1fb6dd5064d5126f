/**
 * What a script finds in its global scope, as source text for the sandbox: MongoDB's types (prelude-types.ts) and functions of
 * server-side JavaScript, and the functions through which calls enter and leave (`enter`, which the sandbox keeps a handle of).
 *
 * Source of the names: MongoDB's manual, "Server-side JavaScript", "Map-Reduce: JavaScript Functions".
 * Promises: it runs inside the sandbox like the user's own code and has no more rights; what it answers is text that the
 * host reads as hostile input (crossing.ts). Natives that it needs are kept aside before user code can replace them.
 */

import { PRELUDE_TYPES } from './prelude-types.ts';

/** Deeper values are refused when they leave, as MongoDB does (code 17279). */
const MAX_RESULT_DEPTH = 150;

export const PRELUDE = String.raw`
(function (global) {
  'use strict';
  const { parse, stringify } = JSON;
  const { keys, defineProperty, getPrototypeOf } = Object;
  const { isArray } = Array;
  const { isInteger } = Number;
  const indirectEval = global.eval;
  const intNames = new WeakMap();
  const patterns = new WeakMap();
  const functions = new Map();
  let emitted;

  const define = (name, value) =>
    defineProperty(global, name, { value, writable: true, configurable: true, enumerable: false });
  const method = (prototype, methods) => {
    for (const name of keys(methods)) {
      defineProperty(prototype, name, { value: methods[name], writable: true, configurable: true, enumerable: false });
    }
  };
  const hidden = (object, name, value) =>
    defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
  const fail = (message) => { throw new Error(message); };

${PRELUDE_TYPES}
  // ---- leaving the sandbox ----
  const leaving = (value, depth, parentInts) => {
    if (depth > ${MAX_RESULT_DEPTH}) {
      const error = new Error('Exceeded depth limit of ${MAX_RESULT_DEPTH} when converting js object to BSON. Do you have a cycle?');
      error.mongoCode = 17279;
      throw error;
    }
    switch (typeof value) {
      case 'string': case 'boolean': return value;
      case 'undefined': return ['u'];
      case 'number':
        if (parentInts === true && value === (value | 0)) return ['i', value];
        return value === 0 && 1 / value < 0 ? ['f', '-0'] : isFinite(value) ? value : ['f', String(value)];
      case 'bigint': return ['l', String(BigInt.asIntN(64, value))];
      case 'function':
        if (value === MinKey) return ['n'];
        if (value === MaxKey) return ['x'];
        return ['c', String(value)];
      case 'symbol': fail('unable to convert JavaScript property to mongo element');
    }
    if (value === null) return null;
    if (isArray(value)) {
      const items = [];
      for (let at = 0; at < value.length; at += 1) items.push(leaving(value[at], depth + 1, false));
      return ['a', items];
    }
    if (value instanceof ObjectId) return ['o', value.str];
    if (value instanceof Date) return ['d', isFinite(value.getTime()) ? value.getTime() : 0];
    if (value instanceof NumberLong) return ['l', String(value.big)];
    if (value instanceof NumberInt) return ['i', value.int];
    if (value instanceof NumberDecimal) return ['m', value.text];
    if (value instanceof BinData) return ['b', value.type, value.data];
    if (value instanceof Timestamp) return ['t', value.t, value.i];
    if (value instanceof RegExp) return ['r', ...(patterns.get(value) || [value.source, value.flags])];
    if (value === MINKEY) return ['n'];
    if (value === MAXKEY) return ['x'];
    if (value instanceof Code) {
      return value.scope !== undefined && value.scope !== null && typeof value.scope === 'object'
        ? ['C', String(value.code), leaving(value.scope, depth + 1, false)] : ['c', String(value.code)];
    }
    if (value instanceof DBPointer) return ['p', String(value.ns), value.id instanceof ObjectId ? value.id.str : ''];
    if (value instanceof Number || value instanceof String || value instanceof Boolean) return leaving(value.valueOf(), depth, false);
    const fields = [];
    const ints = intNames.get(value);
    for (const name of keys(value)) {
      fields.push(name, leaving(value[name], depth + 1, ints !== undefined && ints.has(name)));
    }
    return ['O', fields];
  };

  // ---- entering it ----
  const makeFunction = (source) => {
    const text = source.replace(/^(?:\s|\/\*[^]*?\*\/|\/\/[^\n]*\n)+/, '').replace(/[\s;]+$/, '');
    if (/^(?:async\s+)?function\b/.test(text) || /^(?:async\s*)?(?:\([^()]*\)|[A-Za-z_$][\w$]*)\s*=>/.test(text)) {
      return indirectEval('(' + text + '\n)');
    }
    try {
      return indirectEval('(function() { return (' + text + '\n); })');
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      const last = /\breturn\b/.test(text) ? -1 : text.lastIndexOf(';');
      if (last >= 0) {
        try {
          return indirectEval('(function() { ' + text.slice(0, last + 1) + ' return (' + text.slice(last + 1) + '\n); })');
        } catch (inner) {
          if (!(inner instanceof SyntaxError)) throw inner;
        }
      }
      return indirectEval('(function() { ' + text + '\n})');
    }
  };
  // PCRE has patterns that JavaScript has not. They come and go as they are; only who matches with one meets the mistake.
  const regularExpression = (pattern, flags) => {
    try {
      return new RegExp(pattern, flags);
    } catch (mistake) {
      const unusable = /(?:)/;
      hidden(unusable, 'exec', () => { throw mistake; });
      return unusable;
    }
  };
  const special = (kind, payload) => {
    switch (kind) {
      case 'o': return new ObjectId(payload);
      case 'd': return new Date(payload === null ? NaN : payload);
      case 'l': return new NumberLong(payload);
      case 'm': return new NumberDecimal(payload);
      case 'b': return new BinData(payload[0], payload[1]);
      case 't': return new Timestamp(payload[0], payload[1]);
      case 'r': {
        const expression = regularExpression(payload[0], payload[1].replace(/[^imsu]/g, ''));
        patterns.set(expression, payload);
        return expression;
      }
      case 'n': return MINKEY;
      case 'x': return MAXKEY;
      case 'u': return undefined;
      case 'f': return payload === '-0' ? -0 : Number(payload);
      case 'p': return new DBPointer(payload[0], new ObjectId(payload[1]));
      case 'C': return new Code(payload[0], payload[1]);
      case 'c':
        try { return makeFunction(payload); } catch (error) { return new Code(payload); }
    }
  };
  const entering = (text) => {
    const { v: root, s: specials } = parse(text);
    for (const [kind, payload, ...path] of specials) {
      let holder = root;
      const last = path.length - 1;
      for (let at = 0; at < last; at += 1) holder = holder[path[at]];
      if (kind === 'i') intNames.set(path.length === 0 ? root : holder[path[last]], new Set(payload));
      else holder[path[last]] = special(kind, payload);
    }
    return root;
  };
  const emit = function (key, value) {
    if (emitted === undefined) throw new ReferenceError('emit is not defined');
    if (arguments.length !== 2) {
      const error = new Error('emit takes 2 args');
      error.mongoCode = 31220;
      throw error;
    }
    emitted.push(['O', ['k', key === undefined ? null : leaving(key, 1, false), 'v', leaving(value, 1, false)]]);
  };
  const functionOf = (source) => {
    let found = functions.get(source);
    if (found === undefined) {
      found = makeFunction(source);
      if (typeof found !== 'function') found = undefined;
      functions.set(source, found);
    }
    return found;
  };
  const call = (kind, sources, text) => {
    const given = entering(text);
    const fn = functionOf(sources[0]);
    switch (kind) {
      case 'call': {
        if (fn === undefined) {
          const error = new Error('The body function did not evaluate');
          error.mongoCode = 31265;
          throw error;
        }
        return leaving(fn.apply({}, given.args), 0, false);
      }
      case 'where':
        global.obj = given.self;
        global.fullObject = true;
        return !!fn.call(given.self);
      case 'emit':
        emitted = [];
        try {
          fn.call(given.self);
          return ['a', emitted];
        } finally {
          emitted = undefined;
        }
      case 'fold': {
        let state = 'state' in given ? given.state : fn.apply({}, given.init);
        const accumulate = functionOf(sources[1]);
        for (const inputs of given.inputs) state = accumulate.apply({}, [state, ...inputs]);
        return leaving(given.end === true && sources[2] !== '' ? functionOf(sources[2]).call({}, state) : state, 0, false);
      }
    }
  };
  const enter = (kind, sources, text) => {
    try {
      return stringify({ r: call(kind, parse(sources), text) });
    } catch (error) {
      // What cannot be caught (no time, no memory) comes here too: the host looks at its own flags first.
      if (error !== null && typeof error === 'object' && 'message' in error) {
        return stringify({ e: [String(error.name || 'Error'), String(error.message), String(error.stack || ''), error.mongoCode || 0] });
      }
      let shown = '';
      try { shown = tojson(error); } catch (inner) { shown = typeof error; }
      return stringify({ e: ['uncaught exception', shown, '', 0] });
    }
  };
  /** Globals that a scope or system.js brings. */
  const setGlobals = (text) => {
    const given = entering(text);
    for (const name of keys(given)) global[name] = given[name];
  };

  // ---- what scripts see ----
  const print = () => {};
  const globals = {
    NumberLong, NumberInt, NumberDecimal, ObjectId, Timestamp, BinData, UUID, HexData, MD5, MinKey, MaxKey, DBRef, DBPointer,
    Code, ISODate, tojson, tojsonObject: (value, indent, nolint) => tojsonObject(value, indent || '', nolint === true), tojsononeline,
    hex_md5, emit, print, printjson: print, printjsononeline: print, gc: () => {},
    version: () => '8.0.16',
    sleep: (ms) => { const end = Date.now() + Number(ms); while (Date.now() < end); },
    isString: (value) => typeof value === 'string' || value instanceof String,
    isNumber: (value) => typeof value === 'number' || value instanceof NumberLong || value instanceof NumberInt || value instanceof NumberDecimal,
    isObject: (value) => typeof value === 'object' && value !== null && !isArray(value),
    bsonWoCompare: compareValues,
    bsonBinaryEqual: (a, b) => stringify(leaving(a, 0, false)) === stringify(leaving(b, 0, false)),
    doassert: (message) => { throw message instanceof Error ? message : new Error(String(message)); },
    assert: (condition, message) => {
      if (!condition) throw new Error('assert failed' + (message === undefined ? '' : ' : ' + (typeof message === 'function' ? message() : message)));
    },
    args: undefined,
  };
  for (const name of keys(globals)) define(name, globals[name]);
  method(Array, {
    sum: (values) => { let sum = values.length === 0 ? null : values[0]; for (let at = 1; at < values.length; at += 1) sum += values[at]; return sum; },
    avg: (values) => values.length === 0 ? null : Array.sum(values) / values.length,
    stdDev: (values) => {
      const mean = Array.avg(values);
      let sum = 0;
      for (const value of values) sum += (value - mean) ** 2;
      return Math.sqrt(sum / values.length);
    },
    contains: (values, value) => values.some((item) => item == value),
    unique: (values) => { const seen = []; for (const value of values) if (!Array.contains(seen, value)) seen.push(value); return seen; },
    shuffle: (values) => {
      for (let at = values.length - 1; at > 0; at -= 1) {
        const other = Math.floor(Math.random() * (at + 1));
        [values[at], values[other]] = [values[other], values[at]];
      }
      return values;
    },
    tojson: (values, indent, nolint) => tojson(values, indent, nolint),
  });
  method(Object, {
    extend: (into, from) => { for (const name of keys(from)) into[name] = from[name]; return into; },
    merge: (a, b) => Object.extend(Object.extend({}, a), b),
    keySet: (value) => keys(value),
  });
  method(Date.prototype, { tojson() { return isoDate(this); } });
  method(String.prototype, {
    pad: function (length, right, fill) { return right ? this.padEnd(length, fill || ' ') : this.padStart(length, fill || ' '); },
    ltrim: function () { return this.trimStart(); },
    rtrim: function () { return this.trimEnd(); },
  });
  return { enter, setGlobals };
})(globalThis)
`;
