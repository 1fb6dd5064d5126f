/**
 * Plants a bug (planted-bugs.ts) in a process: `node --import ./plant.mjs --import tsx ...`, the bug in FLINT_PLANT.
 * A hook changes the text of one source file while it is loaded, before it is compiled.
 */
import { register } from 'node:module';

const hook = `
  let plant;
  export function initialize(data) { plant = data; }
  export async function load(url, context, nextLoad) {
    const loaded = await nextLoad(url, context);
    if (!url.split('?')[0].endsWith('/' + plant.file)) return loaded;
    const source = String(loaded.source);
    if (source.split(plant.text).length !== 2) throw new Error(plant.file + ' has no single place for ' + plant.name);
    return { ...loaded, source: source.replace(plant.text, () => plant.replacement) };
  }
`;

register(`data:text/javascript,${encodeURIComponent(hook)}`, {
  data: JSON.parse(process.env.FLINT_PLANT ?? 'null'),
});
