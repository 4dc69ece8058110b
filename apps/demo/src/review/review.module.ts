import { Module } from '@nestjs/common';
import { LedgerModule } from '../ledger/ledger.module.js';
import { ReviewController } from './review.controller.js';
import { Review } from './review.js';
import { ReviewRules } from './rules.js';

/** A group more, with --review: one that does not know what to do with every event. */
@Module({
  imports: [LedgerModule],
  controllers: [ReviewController],
  providers: [Review, ReviewRules],
})
export class ReviewModule {}
