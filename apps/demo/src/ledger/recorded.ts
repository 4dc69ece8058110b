import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { EventContext } from 'nestjs-cardinal';
import { concatMap, defer, type Observable } from 'rxjs';
import type { FileChange } from '../history/file-events.js';
import { Ledger } from './ledger.js';

/**
 * Keeps the books around a handler. Delivery is at least once: an event that comes again to this process is counted as a
 * repeat and not handled again. The handler ends, and the event is acknowledged, after it is on the books: a process that
 * is killed before that leaves the event to another one, and a process that is killed after it has reported it.
 */
@Injectable()
export class Recorded implements NestInterceptor {
  constructor(private readonly ledger: Ledger) {}

  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    const [change, event] = execution.getArgs<[FileChange, EventContext]>();
    const subscriber = event.group ?? event.handler;
    const handled = { subscriber, id: event.id, ...(change.seq === undefined ? {} : { seq: change.seq }) };
    const record = async (): Promise<void> => this.ledger.add(handled);
    if (this.ledger.has(subscriber, event.id)) return defer(record);
    return next.handle().pipe(concatMap(record));
  }
}
