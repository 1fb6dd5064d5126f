// The SDK of FlintDB in a web page: it inserts, queries, and pages through a cursor.
import { Decimal128, FlintClient } from 'flintdb/http';

const PAGE = 5;
const ITEMS = 12;
const byId = (id) => document.getElementById(id);

function show(text, className = '') {
  byId('state').textContent = text;
  byId('state').className = className;
}

async function main() {
  const client = await FlintClient.connect(decodeURIComponent(location.search.slice(1)));
  const items = client.db('browser').collection('items');

  await items.deleteMany({});
  const { insertedCount } = await items.insertMany(
    Array.from({ length: ITEMS }, (_, n) => ({
      name: `Item ${n + 1}`,
      price: Decimal128.fromString(`${n}.90`),
    })),
  );
  const dear = await items.countDocuments({ price: { $gt: Decimal128.fromString('5') } });
  show(`${insertedCount} documents inserted; ${dear} of them cost more than 5.`);

  // A batch of a cursor is a page: the next one is asked for when it is wanted.
  const cursor = items.find().sort({ price: -1 }).batchSize(PAGE);
  let pages = 0;
  const nextPage = async () => {
    byId('more').disabled = true;
    const rows = [];
    while (rows.length < PAGE && (await cursor.hasNext())) rows.push(await cursor.next());
    pages += 1;
    byId('items').append(...rows.map(rowOf));
    byId('pages').textContent = `${pages} pages, ${byId('items').children.length} rows`;
    byId('more').disabled = !(await cursor.hasNext());
  };
  byId('more').addEventListener('click', () => {
    nextPage().catch(fail);
  });
  await nextPage();
}

function rowOf({ _id, name, price }) {
  const row = document.createElement('tr');
  for (const text of [name, _id.toHexString(), price.toString()]) {
    row.append(Object.assign(document.createElement('td'), { textContent: text }));
  }
  return row;
}

function fail(error) {
  show(`${error.name}: ${error.message}`, 'failed');
}

main().catch(fail);
