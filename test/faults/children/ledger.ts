import { createEventBus, type CreateEventBusOptions, type EventContext } from 'nestjs-cardinal';
import sqlite from 'node-sqlite3-wasm';

/** Where the process kills itself: before its transaction, within it, or after it and before anybody else knows. */
export type Moment = 'before' | 'within' | 'after';

export interface LedgerConfig {
  readonly bus: CreateEventBusOptions;
  readonly database: string;
  /** By the number that is booked. */
  readonly deaths: Readonly<Record<string, Moment>>;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const { bus: options, database, deaths } = JSON.parse(process.argv[2] ?? '') as LedgerConfig;

const db = new sqlite.Database(database);
db.exec('CREATE TABLE IF NOT EXISTS handled (handler, source, event_id, PRIMARY KEY (handler, source, event_id))');
db.exec('CREATE TABLE IF NOT EXISTS booked (number)');

function dieIf(number: number, moment: Moment): void {
  if (deaths[String(number)] !== moment) return;
  say(`dies ${String(number)}`);
  process.kill(process.pid, 'SIGKILL');
}

/** The recipe of docs/idempotency.md: the note and the effect in one transaction. */
function book(number: number, { handler, source, id }: EventContext): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    const { changes } = db.run('INSERT INTO handled VALUES (?, ?, ?) ON CONFLICT DO NOTHING', [handler, source, id]);
    if (changes > 0) db.run('INSERT INTO booked VALUES (?)', number);
    dieIf(number, 'within');
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

const silent = { log: () => {}, debug: () => {}, warn: () => {}, error: (line: string) => say(`error ${line}`) };
const bus = await createEventBus({ service: 'ledger', logger: silent, ...options });
await bus.subscribe(
  'amount.due',
  (number: number, context: EventContext) => {
    say(`got ${String(number)} ${String(context.attempt)}`);
    dieIf(number, 'before');
    book(number, context);
    dieIf(number, 'after');
    say(`done ${String(number)}`);
  },
  {
    group: 'ledger',
    name: 'book',
    startFrom: 'earliest',
    concurrency: 1,
    idempotent: true,
    retry: { attempts: 10, delay: 0 },
  },
);
say('ready');
