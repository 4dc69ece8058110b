// A contender's child process: `node worker.js '<setup as JSON>'`, driven over IPC by harness/worker-process.ts.
import type { Role, Setup } from './harness/bench.js';
import type { Order, Report } from './harness/worker-process.js';

const ROLES: Readonly<Record<string, () => Promise<{ readonly open: (setup: Setup) => Promise<Role> }>>> = {
  stream: () => import('./roles/stream.js'),
  'in-process': () => import('./roles/in-process.js'),
  caller: () => import('./roles/caller.js'),
  responder: () => import('./roles/responder.js'),
};

function tell(report: Report): void {
  process.send?.(report);
}

function text(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

// An orphan ends.
process.on('disconnect', () => process.exit(1));

try {
  const setup = JSON.parse(process.argv[2] ?? '{}') as Setup;
  const load = ROLES[setup.role];
  if (load === undefined) throw new Error(`no role '${setup.role}'`);
  const { open } = await load();
  const role = await open(setup);
  process.on('message', (order: Order) => {
    if ('close' in order) {
      role.close().then(
        () => process.exit(0),
        (error: unknown) => {
          process.stderr.write(`${setup.system}: close failed: ${text(error)}\n`);
          process.exit(1);
        },
      );
      return;
    }
    const { id, task } = order;
    role.run(task).then(
      (figures) => {
        const { user, system } = process.cpuUsage();
        tell({ id, figures, cpu: user + system });
      },
      (error: unknown) => {
        tell({ id, error: text(error) });
      },
    );
  });
  tell({ ready: true });
} catch (error) {
  tell({ error: text(error) });
}
