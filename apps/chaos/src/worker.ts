// A child process: `node worker.js '<setup as JSON>'`.
import type { Role, WorkerReport, WorkerSetup } from './crew/setup.js';

const ROLES: Readonly<Record<string, () => Promise<{ readonly open: (setup: WorkerSetup) => Promise<Role> }>>> = {
  cards: () => import('./workloads/cards/role.js'),
};

function tell(report: WorkerReport): void {
  process.send?.(report);
}

// An orphan ends.
process.on('disconnect', () => process.exit(1));

try {
  const setup = JSON.parse(process.argv[2] ?? '{}') as WorkerSetup;
  const load = ROLES[setup.role];
  if (load === undefined) throw new Error(`no role '${setup.role}'`);
  const { open } = await load();
  const role = await open(setup);
  process.once('SIGTERM', () => {
    role.close().then(
      () => process.exit(0),
      (error: unknown) => {
        tell({ said: `close failed: ${String(error)}`, level: 'error' });
        process.exit(1);
      },
    );
  });
  tell({ ready: true });
} catch (error) {
  tell({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}
