import { parseArgs } from 'node:util';

export const USAGE = `node apps/demo/dist/main.js [options]

  --play, --no-play   play the history at start; by default in memory, not on a shared backend
  --once              end when it has been played; the exit code says whether the self-check is ok
  --review            with a group more, that has no rule for some of the changes: they become dead letters
  --member            as one of the processes of demo:cluster: its parent says what to do

  PORT                  the port to listen on at 127.0.0.1; 3000 by default
  EVENT_DEFAULT_BACKEND, EVENT_DEFAULT_URL, …   the bus; memory by default`;

export interface Arguments {
  /** Undefined: by the backend. */
  readonly play: boolean | undefined;
  readonly once: boolean;
  readonly review: boolean;
  readonly member: boolean;
  readonly help: boolean;
  readonly port: number;
}

export function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      play: { type: 'boolean' },
      once: { type: 'boolean', default: false },
      review: { type: 'boolean', default: false },
      member: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
    allowNegative: true,
  });
  const port = Number(process.env['PORT'] ?? 3000);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`PORT is ${process.env['PORT'] ?? ''}: expected a port number`);
  return { ...values, play: values.play, port };
}
