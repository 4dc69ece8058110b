import { Module } from '@nestjs/common';
import { Ledger } from './ledger.js';

/** One set of books for all handlers of the process. */
@Module({ providers: [Ledger], exports: [Ledger] })
export class LedgerModule {}
