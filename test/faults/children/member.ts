import { createEventBus, type CreateEventBusOptions, type EventContext } from 'nestjs-cardinal';

export interface Listening {
  readonly label: string;
  readonly pattern: string;
  readonly group?: string;
  readonly concurrency?: number;
  readonly startFrom?: 'new' | 'earliest';
  /** Its handler never returns. */
  readonly hang?: boolean;
}

export interface MemberConfig {
  readonly bus: CreateEventBusOptions;
  readonly listens: readonly Listening[];
  /** Publishes numbers, one after the other. */
  readonly publishes?: { readonly type: string; readonly from: number; readonly count: number };
}

/** One line a thing that happened; on a pipe they are written at once, so they outlive a SIGKILL. */
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { bus: options, listens, publishes } = JSON.parse(process.argv[2] ?? '') as MemberConfig;
const silent = {
  log: () => {},
  debug: () => {},
  warn: (line: string) => say(`warn ${line}`),
  error: (line: string) => say(`error ${line}`),
};
const bus = await createEventBus({ service: 'test', logger: silent, ...options });

for (const { label, pattern, hang = false, ...rest } of listens) {
  const handler = async (payload: unknown, context: EventContext): Promise<void> => {
    say(
      `got ${label} ${JSON.stringify(payload)} ${context.type} ${String(context.attempt)} ${String(context.redelivered)}`,
    );
    if (hang) await new Promise(() => {});
    say(`done ${label} ${JSON.stringify(payload)}`);
  };
  await bus.subscribe(pattern, handler, { ...rest, ...(rest.group === undefined ? {} : { name: label }) });
}
process.on('SIGTERM', () => {
  void bus.close().then(() => {
    say('closed');
    process.exit(0);
  });
});
say(`ready ${bus.instanceId}`);
if (publishes !== undefined) {
  const { type, from, count } = publishes;
  for (let number = from; number < from + count; number += 1) {
    const { id } = await bus.publish(type, number);
    say(`published ${String(number)} ${id}`);
  }
  say('all published');
}
