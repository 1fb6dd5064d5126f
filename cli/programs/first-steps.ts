/**
 * What `npm start` prints when the server is ready: where it is, and what to type next.
 */

export interface FirstSteps {
  readonly version: string;
  readonly port: number;
  readonly dbPath: string;
}

export function firstStepsText({ version, port, dbPath }: FirstSteps): string {
  const uri = `mongodb://127.0.0.1:${port}`;
  const shell = port === 27_017 ? 'npx mongosh' : `npx mongosh ${uri}`;
  return `
FlintDB ${version} is ready at ${uri}
Its data is in ${dbPath}, and stays there.

In another terminal:
  ${shell}
      a shell; type:  db.cats.insertOne({ name: 'Minka', lives: 9 })
                      db.cats.find({ lives: { $gt: 3 } })
  npm run demo
      loads 171,075 cities and asks a few questions about them

Every MongoDB driver connects to ${uri}. Ctrl-C stops the server cleanly.
`;
}
