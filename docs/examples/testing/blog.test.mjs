// A project's suite for mocha: the server starts once, and is emptied between tests.
import assert from 'node:assert/strict';
import mongoose from 'mongoose';
// Before: import { MongoMemoryServer } from 'mongodb-memory-server';
import { MongoMemoryServer } from 'flintdb/memory-server';
import { Post, User } from './models.mjs';

let server;

before(async () => {
  server = await MongoMemoryServer.create();
  await mongoose.connect(server.getUri('blog'));
});

beforeEach(async () => {
  await server.reset();
  await Promise.all([User.syncIndexes(), Post.syncIndexes()]);
});

after(async () => {
  await mongoose.disconnect();
  await server.stop();
});

const ada = () =>
  User.create({ email: 'Ada@Example.org', name: { first: 'Ada', last: 'Lovelace' }, age: 36 });
const postBy = (author, fields = {}) => Post.create({ title: 'On Engines', author, ...fields });

describe('users', () => {
  it('are saved with defaults and timestamps', async () => {
    const user = await ada();
    assert.equal(user.role, 'reader');
    assert.ok(user.createdAt instanceof Date);
  });

  it('have their email in lower case', async () => {
    await ada();
    assert.equal((await User.findOne()).email, 'ada@example.org');
  });

  it('are found by a static', async () => {
    await ada();
    assert.equal((await User.byEmail('ADA@example.org')).name.first, 'Ada');
  });

  it('have a full name that is not stored', async () => {
    await ada();
    assert.equal((await User.findOne()).fullName, 'Ada Lovelace');
    assert.equal((await User.findOne().lean()).fullName, undefined);
  });

  it('need an email', async () => {
    await assert.rejects(User.create({ name: { first: 'Bob' } }), /`email` is required/);
  });

  it('need an email that looks like one', async () => {
    await assert.rejects(User.create({ email: 'nope', name: { first: 'Bob' } }), {
      name: 'ValidationError',
    });
  });

  it('are old enough', async () => {
    await assert.rejects(User.create({ email: 'a@b', name: { first: 'Bob' }, age: 3 }), /minimum/);
  });

  it('have one of the roles', async () => {
    await assert.rejects(
      User.create({ email: 'a@b', name: { first: 'Bob' }, role: 'king' }),
      /not a valid enum/,
    );
  });

  it('share no email', async () => {
    await ada();
    await assert.rejects(ada(), { code: 11000, keyPattern: { email: 1 } });
  });

  it('are promoted by a method', async () => {
    await (await ada()).promote();
    assert.equal(await User.countDocuments({ role: 'author' }), 1);
  });

  it('keep settings in a map', async () => {
    const user = await ada();
    user.settings = new Map([['theme', 'dark']]);
    await user.save();
    assert.equal((await User.findOne({ 'settings.theme': 'dark' })).settings.get('theme'), 'dark');
  });

  it('are updated with operators', async () => {
    const user = await ada();
    await User.updateOne({ _id: user._id }, { $push: { tags: { $each: ['b', 'a'], $sort: 1 } } });
    assert.deepEqual([...(await User.findById(user._id)).tags], ['a', 'b']);
  });

  it('are validated in updates, too', async () => {
    const user = await ada();
    await assert.rejects(
      User.updateOne({ _id: user._id }, { age: 200 }, { runValidators: true }),
      /maximum/,
    );
  });

  it('are upserted', async () => {
    const user = await User.findOneAndUpdate(
      { email: 'new@example.org' },
      { $setOnInsert: { name: { first: 'New' } } },
      { upsert: true, returnDocument: 'after' },
    );
    assert.equal(user.name.first, 'New');
    assert.equal(await User.countDocuments(), 1);
  });

  it('are inserted many at a time', async () => {
    const many = Array.from({ length: 50 }, (_, n) => ({
      email: `u${n}@x`,
      name: { first: `U${n}` },
    }));
    await User.insertMany(many);
    assert.equal(await User.countDocuments({ email: /^u4/ }), 11);
  });

  it('are sorted, skipped, limited and selected', async () => {
    await User.insertMany(
      ['c', 'a', 'b'].map((first) => ({ email: `${first}@x`, name: { first } })),
    );
    const users = await User.find().sort('name.first').skip(1).limit(1).select('name').lean();
    assert.deepEqual(
      users.map(({ name, email }) => [name.first, email]),
      [['b', undefined]],
    );
  });

  it('come one by one from a cursor', async () => {
    await User.insertMany([1, 2, 3].map((n) => ({ email: `${n}@x`, name: { first: String(n) } })));
    const seen = [];
    for await (const user of User.find().sort('email').cursor()) seen.push(user.name.first);
    assert.deepEqual(seen, ['1', '2', '3']);
  });

  it('are deleted', async () => {
    await ada();
    assert.equal((await User.deleteMany({ age: { $gt: 30 } })).deletedCount, 1);
    assert.equal(await User.exists({ age: 36 }), null);
  });
});

describe('posts', () => {
  it('get a slug before they are validated', async () => {
    assert.equal((await postBy(await ada())).slug, 'on-engines');
  });

  it('need an author', async () => {
    await assert.rejects(Post.create({ title: 'x' }), /`author` is required/);
  });

  it('populate their author', async () => {
    await postBy(await ada());
    const post = await Post.findOne().populate('author', 'name');
    assert.equal(post.author.fullName, 'Ada Lovelace');
    assert.equal(post.author.email, undefined);
  });

  it('populate who commented', async () => {
    const user = await ada();
    await postBy(user, { comments: [{ by: user, text: 'Mine.' }] });
    const post = await Post.findOne().populate('comments.by');
    assert.equal(post.comments[0].by.email, 'ada@example.org');
  });

  it('are populated by a virtual of their author', async () => {
    const user = await ada();
    await postBy(user);
    await postBy(user, { title: 'Second' });
    const found = await User.findOne().populate({ path: 'posts', options: { sort: { title: 1 } } });
    assert.deepEqual(
      found.posts.map(({ title }) => title),
      ['On Engines', 'Second'],
    );
  });

  it('take comments, and lose them', async () => {
    const user = await ada();
    const post = await postBy(user);
    post.comments.push({ by: user, text: 'First!' });
    await post.save();
    post.comments[0].deleteOne();
    await post.save();
    assert.equal((await Post.findById(post._id)).comments.length, 0);
  });

  it('count likes of one comment', async () => {
    const user = await ada();
    const post = await postBy(user, {
      comments: [
        { by: user, text: 'a' },
        { by: user, text: 'b' },
      ],
    });
    await Post.updateOne(
      { _id: post._id, 'comments.text': 'b' },
      { $inc: { 'comments.$.likes': 2 } },
    );
    assert.deepEqual(
      (await Post.findById(post._id)).comments.map(({ likes }) => likes),
      [0, 2],
    );
  });

  it('are not overwritten by who read them earlier', async () => {
    await postBy(await ada());
    const [mine, yours] = [await Post.findOne(), await Post.findOne()];
    mine.title = 'Mine';
    await mine.save();
    yours.title = 'Yours';
    await assert.rejects(yours.save(), { name: 'VersionError' });
  });

  it('are chained with a query helper', async () => {
    const user = await ada();
    await postBy(user);
    await postBy(user, { title: 'Out', published: new Date() });
    assert.deepEqual(await Post.find().published().distinct('title'), ['Out']);
  });

  it('are searched by text', async () => {
    const user = await ada();
    await postBy(user, { body: 'wheels and gears' });
    await postBy(user, { title: 'Poetry', body: 'verse' });
    const found = await Post.find({ $text: { $search: 'gear' } });
    assert.deepEqual(
      found.map(({ title }) => title),
      ['On Engines'],
    );
  });

  it('have the indexes of their schema', async () => {
    const indexes = await Post.collection.indexes();
    assert.deepEqual(indexes.map(({ name }) => name).sort(), [
      '_id_',
      'slug_1',
      'title_text_body_text',
    ]);
  });

  it('are summed up by author', async () => {
    const user = await ada();
    await postBy(user, { views: 3 });
    await postBy(user, { title: 'Second', views: 4 });
    const [sum] = await Post.aggregate([
      { $group: { _id: '$author', views: { $sum: '$views' }, posts: { $count: {} } } },
      { $lookup: { from: 'users', localField: '_id', foreignField: '_id', as: 'author' } },
      { $set: { name: { $first: '$author.name.first' } } },
      { $unset: ['_id', 'author'] },
    ]);
    assert.deepEqual(sum, { views: 7, posts: 2, name: 'Ada' });
  });

  it('survive a server that fails once', async () => {
    const user = await ada();
    await server.failNext({ command: 'insert', code: 11600 });
    await assert.rejects(postBy(user), { code: 11600 });
    await postBy(user);
    assert.equal(await Post.countDocuments(), 1);
  });
});
