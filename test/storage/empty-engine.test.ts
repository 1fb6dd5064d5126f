/**
 * The engine of servers that keep no data.
 */
import assert from 'node:assert/strict';
import { EmptyEngine } from '../../storage/empty-engine.ts';

describe('the empty engine', () => {
  const engine = new EmptyEngine();

  it('shows nothing', () => {
    const view = engine.snapshot();
    assert.equal(view.collection('a.b'), undefined);
    assert.deepEqual(view.collections(), []);
    assert.deepEqual(view.databases(), []);
    view.close();
  });

  it('refuses writes and index builds', async () => {
    assert.throws(() => engine.begin(), { codeName: 'IllegalOperation' });
    assert.throws(() => engine.admitWrite(), { codeName: 'IllegalOperation' });
    await assert.rejects(engine.buildIndexes(), { codeName: 'IllegalOperation' });
    await assert.rejects(engine.validate(), { codeName: 'IllegalOperation' });
  });

  it('has room for what operations cannot hold', () => {
    const file = engine.spill.create();
    file.append(Buffer.from('abc'));
    const bytes = Buffer.alloc(3);
    assert.equal(file.read(bytes, 0), 3);
    assert.equal(bytes.toString(), 'abc');
    file.close();
  });
});
