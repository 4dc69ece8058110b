import type { INestApplication } from '@nestjs/common';
import { Player } from '../history/player.js';
import { CardLedger } from '../ledger/card-ledger.js';
import { Ledger } from '../ledger/ledger.js';
import type { FromMember, ToMember } from './messages.js';

/**
 * The member's side of `demo:cluster`: reports each handled event to the parent process, and plays when told to. What is
 * given back says that the application is up.
 */
export function joinCluster(app: INestApplication): (url?: string) => Promise<void> {
  app.get(Ledger).reportTo((handled) => tell({ kind: 'handled', handled }));
  app.get(CardLedger).reportTo((entry) => tell({ kind: 'card', entry }));
  process.on('message', ({ from, to }: ToMember) => {
    app
      .get(Player)
      .play({ from, to })
      .then(() => tell({ kind: 'played' }))
      .catch((error: unknown) => tell({ kind: 'failed', message: String(error) }))
      .catch(() => {});
  });
  // The parent is gone, and with it the Redis that it had started: nothing is left to end in order.
  process.on('disconnect', () => process.exit(1));
  return (url = '') => tell({ kind: 'ready', url });
}

/** Resolves when it is on its way, where it arrives even if this process is killed now. */
function tell(message: FromMember): Promise<void> {
  return new Promise((resolve, reject) => {
    if (!process.send) {
      reject(new Error('--member is for processes that demo:cluster starts'));
      return;
    }
    process.send(message, undefined, undefined, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
