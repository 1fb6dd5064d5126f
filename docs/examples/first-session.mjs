import { MongoClient } from 'mongodb';

const client = new MongoClient('mongodb://127.0.0.1:27017');
const cats = client.db('test').collection('cats');
await cats.createIndex({ name: 1 });
await cats.updateOne({ name: 'Minka' }, { $inc: { lives: -1 } }, { upsert: true });
console.log(await cats.find({ name: 'Minka' }).toArray());
await client.close();
