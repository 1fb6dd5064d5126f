// jest, and mongoose, in CommonJS. Run: NODE_OPTIONS=--experimental-vm-modules npx jest
// (The flag is for the official driver 7, which loads a module by import(). FlintDB's own client needs none.)
const mongoose = require('mongoose');
const { MongoMemoryServer } = require('flintdb/memory-server');

const Cat = mongoose.model('Cat', new mongoose.Schema({ name: { type: String, required: true } }));

let server;

beforeAll(async () => {
  server = await MongoMemoryServer.create();
  await mongoose.connect(server.getUri());
});
beforeEach(() => server.reset());
afterAll(async () => {
  await mongoose.disconnect();
  await server.stop();
});

test('saves a cat', async () => {
  await Cat.create({ name: 'Zildjian' });
  expect(await Cat.countDocuments()).toBe(1);
});

test('needs a name', async () => {
  await expect(Cat.create({})).rejects.toThrow(/`name` is required/);
  expect(await Cat.countDocuments()).toBe(0);
});
