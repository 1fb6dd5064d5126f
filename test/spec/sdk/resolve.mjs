/** The hook of register.mjs. */
const SDK = new URL('./mongodb.ts', import.meta.url).href;

export function resolve(specifier, context, next) {
  return specifier === 'mongodb' ? next(SDK, context) : next(specifier, context);
}
