/** The transports of the SDK keep their contract. */
import { HttpTransport } from '../../client/transport/http/http-transport.ts';
import { WireTransport } from '../../client/transport/wire/wire-transport.ts';
import { describeTransport } from './transport.ts';

describeTransport({
  name: 'wire',
  factory: (settings, surroundings) => new WireTransport(settings, surroundings),
  args: [],
  uriOf: ({ uri }) => uri,
});

describeTransport({
  name: 'http',
  factory: (settings) => new HttpTransport(settings),
  args: ['--httpPort', '0'],
  uriOf: ({ httpUri }) => httpUri ?? '',
});
