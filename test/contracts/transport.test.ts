/** The transports of the SDK keep their contract. */
import { WireTransport } from '../../client/transport/wire/wire-transport.ts';
import { describeTransport } from './transport.ts';

describeTransport({
  name: 'wire',
  factory: (settings, surroundings) => new WireTransport(settings, surroundings),
  args: [],
  uriOf: ({ uri }) => uri,
});
