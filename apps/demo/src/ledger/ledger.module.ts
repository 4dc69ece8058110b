import { Module } from '@nestjs/common';
import { CardLedger } from './card-ledger.js';
import { Ledger } from './ledger.js';

/** One set of books for all handlers of the process. */
@Module({ providers: [Ledger, CardLedger], exports: [Ledger, CardLedger] })
export class LedgerModule {}
