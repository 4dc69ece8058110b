import { runChaos } from './chaos.js';
import { parseCli, USAGE } from './cli.js';
import { renderReport } from './report/table.js';
import { startRedis } from './server/redis-server.js';

// Ends the private server on the way; the children end when their channel closes.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

try {
  const options = parseCli(process.argv.slice(2));
  if (options === undefined) console.log(USAGE);
  else {
    const server = await startRedis(options.url);
    try {
      if (!options.json) console.log(`Seed ${options.seed}; about ${options.minutes} min.`);
      const report = await runChaos(options, server);
      console.log(options.json ? JSON.stringify(report, undefined, 2) : renderReport(report));
      if (report.checks.some(({ ok }) => !ok)) process.exitCode = 1;
    } finally {
      await server.stop();
    }
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  // Also where a process that was being started would keep us.
  process.exit(2);
}
