import type { Clock } from '../core/clock.js';
import type { Consumer } from './consumer.js';
import type { Intake } from './intake.js';

export interface DrainOptions {
  readonly clock: Clock;
  /** How long running handlers may finish, ms. */
  readonly timeout: number;
  /** Others can take what is given back: what has not begun is released instead of run. */
  readonly handOver: boolean;
}

/**
 * Ends the receiving half in order: nothing more is taken; what has not begun goes back to the others; what runs may
 * finish; after the timeout its signal aborts and it goes back as well.
 */
export async function drain(consumer: Consumer, { clock, timeout, handOver }: DrainOptions): Promise<void> {
  consumer.intakes.end();
  consumer.hurry();
  const intakes = consumer.intakes.all();
  if (handOver) for (const intake of intakes) releaseUnstarted(consumer, intake);
  const finished = Promise.all(
    intakes.map(async (intake) => {
      await intake.source?.pause();
      if (handOver) releaseUnstarted(consumer, intake);
      await intake.whenIdle();
      await Promise.all(consumer.beside);
      await Promise.all(consumer.unconfirmed);
    }),
  );
  if (await within(finished, timeout, clock)) return;
  for (const intake of intakes) intake.shut();
  const left = intakes.flatMap((intake) => [...intake.inFlight]);
  consumer.logger.warn(
    `Bus '${consumer.bus}': ${String(left.length)} deliveries did not finish within ${String(timeout)} ms; their signals abort and others may take them.`,
  );
  const reason = new Error('The process shuts down.');
  for (const tracker of left) {
    tracker.abort(reason);
    consumer.release(tracker);
  }
  consumer.abandon(reason);
  await within(Promise.all(consumer.unconfirmed), timeout, clock);
}

function releaseUnstarted(consumer: Consumer, intake: Intake): void {
  if (intake.spec.kind === 'process') return;
  for (const tracker of [...intake.inFlight]) if (tracker.started === 0) consumer.release(tracker);
}

/** True when the work ended in time. */
export async function within(work: Promise<unknown>, timeout: number, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.after(
      timeout,
      () => {
        resolve(false);
      },
      'awaited',
    );
    void work
      .catch(() => undefined)
      .then(() => {
        timer.cancel();
        resolve(true);
      });
  });
}
