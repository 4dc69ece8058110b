import { Answering, type OpenResponder } from '../contenders/request/request-peer.js';
import type { Role, Setup } from '../harness/bench.js';

const SYSTEMS: Readonly<Record<string, () => Promise<OpenResponder>>> = {
  ioredis: async () => (await import('../contenders/request/plain-ioredis.js')).openPlainResponder,
  'nest-microservices': async () => (await import('../contenders/request/nest-microservices.js')).openNestResponder,
  cardinal: async () => (await import('../contenders/request/cardinal.js')).openCardinalResponder,
  'nest-cardinal': async () => (await import('../contenders/request/nest-cardinal.js')).openNestCardinalResponder,
};

/** Answers the requests of a caller in another process. Option `turn`: one turn of the event loop later. */
export async function open(setup: Setup): Promise<Role> {
  const load = SYSTEMS[setup.system];
  if (load === undefined) throw new Error(`no system '${setup.system}'`);
  const answering = new Answering(setup.options['turn'] === true);
  const responder = await (await load())(setup, answering.answer);
  return { run: () => Promise.resolve({ answered: answering.count }), close: () => responder.close() };
}
