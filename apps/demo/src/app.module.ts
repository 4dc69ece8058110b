import { Module } from '@nestjs/common';
import { EventsModule } from 'nestjs-cardinal';
import { Backend } from './backend.js';
import { SelfCheck } from './check/self-check.js';
import { Audit } from './handlers/audit.js';
import { FileCards } from './handlers/file-cards.js';
import { Leaderboard } from './handlers/leaderboard.js';
import { LineTotals } from './handlers/line-totals.js';
import { History } from './history/history.js';
import { Player } from './history/player.js';
import { ActivityController } from './http/activity.controller.js';
import { DeadLettersController } from './http/dead-letters.controller.js';
import { StatusReader } from './http/status.js';
import { LedgerModule } from './ledger/ledger.module.js';

@Module({
  // In memory, unless the environment says otherwise: EVENT_DEFAULT_BACKEND=redis EVENT_DEFAULT_URL=redis://…
  imports: [EventsModule.forRoot({ service: 'repository-activity' }), LedgerModule],
  controllers: [ActivityController, DeadLettersController],
  providers: [Backend, StatusReader, History, Player, LineTotals, Leaderboard, Audit, FileCards, SelfCheck],
})
export class AppModule {}
